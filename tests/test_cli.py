"""The command line as a user meets it: output, exit codes, files, pipes."""

from __future__ import annotations

import io
import json
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from convcalc.__main__ import main
from convcalc.network import load


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]

SMALL = """\
name: small
input: [3, H, W]
variables: {H: 12, W: 10}
layers:
  - conv: {out_channels: 4, kernel: 3}
  - relu
  - flatten
  - linear: 7
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def call(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "argv", ["convcalc", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return Result(int(end.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    return file


def test_summarize(run: Run, small: Path) -> None:
    result = run("summarize", str(small))
    assert result == Result(0, result.out, "")
    lines = result.out.splitlines()
    assert lines[0] == "small  input [1, 3, 12, 10], 4 layers"
    assert "conv1     4×10×8     112   8,640   79.4 ████▊" in lines
    assert any(line.startswith("Total") and "2,359" in line and "10,880" in line for line in lines)
    assert lines[-1] == "MACs(N, H, W) = 136·N·(H − 2)·(W − 2)"


def test_variables_batch_and_symbols(run: Run, small: Path) -> None:
    at_20 = run("summarize", str(small), "--set", "H=20", "--batch", "3").out
    assert "input [3, 3, 20, 10]" in at_20
    symbolic = run("summarize", str(small), "--symbolic", "H").out
    assert "4×(H − 2)×8" in symbolic


def test_symbols_that_the_weights_need(run: Run, small: Path) -> None:
    out = run("summarize", str(small), "--symbolic", "H,W", "--format", "json").out
    linear = json.loads(out)["layers"][-1]
    assert eval(linear["params"], {"H": 12, "W": 10}) == 4 * 10 * 8 * 7 + 7


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--set", "width=3"], "unknown variable 'width'. This spec has N, H, W."),
        (["--set", "h=3"], "unknown variable 'h'"),
        (["--set", "H"], "--set H: NAME=VALUE is due"),
        (["--set", "H=1", "--set", "H=2"], "--set H stands here twice"),
        (["--set", "N=2", "--batch", "2"], "--batch and --set N say the same thing"),
        (["--set", "H=9", "--symbolic", "H"], "H is given a number and left symbolic"),
        (["-o", ""], "-o: an empty file name"),
        (["--symbolic", "HH"], "'HH' is no variable of this spec"),
        (["--columns", "prams"], "unknown column 'prams'. Did you mean 'params'?"),
        (["--depth", "0"], "--depth"),
        (["--format", "yaml"], "'yaml' is not one of"),
        (["--frobnicate"], "--frobnicate"),
    ],
)
def test_usage_errors_exit_with_2(run: Run, small: Path, arguments: list[str], text: str) -> None:
    result = run("summarize", str(small), *arguments)
    assert result.code == 2
    assert text in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("a.yaml", "input: [3, 8, 8]\nlayers: [conv2d: 3]", "a.yaml:2:10: unknown layer 'conv2d'. Did you mean 'conv'?"),  # noqa: E501
        ("a.yaml", "", "a.yaml:1:1: an empty spec"),
        ("a.yaml", "layers: [relu]", "no input. For instance input: [3, H, W]."),
        ("a.yaml", "input: [3, 8, 8]", "no layers"),
    ],
)  # fmt: skip
def test_spec_errors_exit_with_3(
    run: Run, tmp_path: Path, name: str, content: str, text: str
) -> None:
    (tmp_path / name).write_text(content)
    result = run("summarize", str(tmp_path / name))
    assert result.code == 3
    assert text in result.err


def test_networks_of_lectures_are_suggested(run: Run) -> None:
    err = run("graph", "lenet").err
    assert err.endswith(" Did you mean 'lenet5' or 'lectures/lenet'?\n")


def test_not_found(run: Run) -> None:
    result = run("summarize", "vgg_16")
    assert result == Result(
        3, "", "Error: no file and no architecture 'vgg_16'. Did you mean 'vgg16'?\n"
    )


def test_closed_streams() -> None:
    for redirect, code in (("- <&-", 3), ("lenet5 >&-", 0)):
        command = f"{sys.executable} -m convcalc summarize {redirect}"
        run = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
        assert run.returncode == code
        assert "Traceback" not in run.stderr


def test_unknown_command(run: Run) -> None:
    result = run("sumarize", "vgg16")
    assert result == Result(2, "", "Error: no such command 'sumarize'. Did you mean 'summarize'?\n")


def test_the_table_goes_down_to_the_layer_that_failed(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(
        "input: [1, 8, 6]\nlayers:\n  - conv: {out_channels: 2, kernel: 3}\n  - relu\n"
        "  - {max_pool: 5, name: wide}\n  - linear: 3\n"
    )
    result = run("summarize", str(file))
    assert result.code == 3
    assert "conv1  2×6×4" in result.out
    assert result.out.splitlines()[-1] == "✗ wide"
    assert result.err.startswith(
        f"Error: {file}:5:6: wide: a window of 5 does not fit width 4. A larger input,"
    )
    assert run("summarize", str(file), "--format", "json").out == ""


def test_the_table_of_a_block_that_was_not_finished(run: Run) -> None:
    result = run("summarize", "unet", "--set", "H=187", "--depth", "2")
    assert result.code == 3
    assert "down4" in result.out
    assert "does not fit height" in result.err
    # nothing at all was built in the first block
    assert run("summarize", "resnet50", "--set", "block=basics").code == 3


def test_the_way_out_of_a_missing_flatten(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("input: [1, 8, 6]\nlayers: [relu, linear: 3]")
    assert "Put flatten before it, or say axis: -1" in run("summarize", str(file)).err


def test_a_path_wins_and_a_missing_file_falls_back_to_the_zoo(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "VGG-16" in run("summarize", "vgg16.yaml").out
    Path("vgg16.yaml").write_text(SMALL)
    assert run("summarize", "vgg16.yaml").out.startswith("small")
    assert "VGG-16" in run("summarize", "vgg16").out
    Path("vgg16").write_text(SMALL)
    assert run("summarize", "vgg16").out.startswith("small")
    os.remove("vgg16")
    os.mkdir("vgg16")
    assert "VGG-16" in run("summarize", "vgg16").out


def test_standard_input(run: Run) -> None:
    assert run("summarize", "-", stdin=SMALL.encode()).out.startswith("small")
    assert "<stdin>:1:1: an empty spec" in run("summarize", "-", stdin=b"").err
    assert run("summarize", "-", stdin=b"\xff\xfe").code == 3


def test_several_specs(run: Run, small: Path) -> None:
    both = run("summarize", str(small), "vgg16").out
    assert both.index("small") < both.index("VGG-16")
    found = json.loads(run("summarize", str(small), "vgg16", "--format", "json").out)
    assert [report["name"] for report in found] == ["small", "VGG-16"]


def test_depth_and_all(run: Run) -> None:
    one = run("summarize", "resnet152", "--depth", "1").out.splitlines()
    every = run("summarize", "resnet152", "--all").out.splitlines()
    default = run("summarize", "resnet152").out.splitlines()
    assert len(one) < len(default) < 120 < 500 < len(every)
    assert any("×35" in line for line in default)
    assert not any("×" in line.split()[0] for line in every if line.strip())


def test_output_file_is_whole_or_not_there(
    run: Run, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.json"
    assert run("summarize", str(small), "-o", str(target)) == Result(0, "", "")
    assert json.loads(target.read_text())["totals"]["params"] == 2359
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~mask

    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    result = run("summarize", str(small), "-o", str(target), "--format", "text")
    assert result.code == 3
    assert result.err == f"Error: {target} cannot be written: No space left on device\n"
    assert json.loads(target.read_text())
    assert [f.name for f in tmp_path.iterdir() if f.name.startswith(".convcalc")] == []


def test_rows_of_stages(run: Run, small: Path, tmp_path: Path) -> None:
    groups = tmp_path / "groups.yaml"
    groups.write_text(small.read_text() + "groups: {Head: [flatten1, linear1]}\n")
    assert "\nHead          7 " in run("summarize", str(groups), "--rows", "stages").out
    for option in (["--all"], ["--depth", "2"]):
        result = run("summarize", str(groups), "--rows", "stages", *option)
        assert (result.code, result.out) == (2, "")
        assert result.err == f"Error: {option[0]} is of layers: stages have no levels\n"
    groups.write_text(groups.read_text().replace("linear: 7", "conv: {out_channels: 1, kernel: 9}"))
    result = run("summarize", str(groups), "--rows", "stages")
    assert result.code == 3
    assert "\nconv1  " in result.out


def test_output_keeps_links_and_permissions(run: Run, small: Path, tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    assert run("summarize", str(small), "-o", str(link)).code == 0
    assert link.is_symlink()
    assert real.read_text().startswith("small")
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_output_that_cannot_be_written(run: Run, small: Path, tmp_path: Path) -> None:
    into_folder = run("summarize", str(small), "-o", str(tmp_path))
    assert into_folder.code == 3
    assert "is a folder, not a file to write to" in into_folder.err
    nowhere = run("summarize", str(small), "-o", str(tmp_path / "no" / "x.txt"))
    assert nowhere.code == 3
    assert "cannot be written: No such file or directory" in nowhere.err


def test_check(run: Run, tmp_path: Path) -> None:
    assert run("check", "vgg16") == Result(
        0, "✓ vgg16: params 138,357,544\n✓ vgg16: macs 15,470,264,320\n", ""
    )
    file = tmp_path / "wrong.yaml"
    file.write_text(SMALL + "expect: {params: 2_360, macs: 10_880}\n")
    assert run("check", str(file), "vgg16") == Result(
        1,
        f"✗ {file}: params expected 2,360, found 2,359\n✓ {file}: macs 10,880\n"
        "✓ vgg16: params 138,357,544\n✓ vgg16: macs 15,470,264,320\n",
        "",
    )
    file.write_text(SMALL)
    result = run("check", str(file))
    assert result.code == 0
    assert "expects nothing" in result.err
    file.write_text(SMALL + "expect: {parms: 1}\n")
    assert "unknown quantity 'parms'. Did you mean 'params'?" in run("check", str(file)).err


def test_zoo(run: Run) -> None:
    found = json.loads(run("zoo", "--format", "json").out)
    by_name = {entry["name"]: entry for entry in found}
    assert set(by_name["vgg16"]) == {"name", "title", "params", "macs", "source"}
    assert by_name["vgg16"]["params"] == 138_357_544
    assert by_name["resnet50"]["macs"] == 4_089_184_256
    text = run("zoo").out
    assert all(name in text for name in by_name)
    assert not any(name.startswith("_") for name in by_name)


def test_a_spec_of_the_zoo_is_yaml(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "my.yaml"
    assert run("zoo", "lenet5", "-o", str(target)).code == 0
    assert load(str(target)).summarize().totals.macs == 416_520
    for arguments, said in (
        (["--format", "csv"], "--format is for the list of architectures"),
        (["--fragment"], "--fragment is for the list of architectures"),
        (["-o", str(tmp_path / "my.csv")], "no form of this output is a .csv file"),
    ):
        result = run("zoo", "lenet5", *arguments)
        assert (result.code, result.out) == (2, "")
        assert said in result.err
    assert [*tmp_path.iterdir()] == [target]


@pytest.mark.parametrize("command", ["summarize", "graph", "explain", "formula", "limits", "quiz"])
def test_no_output_replaces_a_spec(command: str, run: Run, small: Path) -> None:
    before = small.read_text()
    result = run(command, str(small), "-o", str(small))
    assert result.code == 2
    assert "no form of this output is a .yaml file" in result.err
    assert small.read_text() == before


def test_layers(run: Run) -> None:
    from convcalc.layers import layer_names

    everything = run("layers").out
    for name in layer_names():
        assert f"\n{name} " in everything
        one = run("layers", name)
        assert one.code == 0
        assert one.out.startswith(f"{name}: ")
        assert "Example, on an input" in one.out
        about = json.loads(run("layers", name, "--format", "json").out)
        assert about["name"] == name
    conv = run("layers", "conv").out
    assert "⌊(H − dilation·(kernel − 1) + 2·padding − 1)/stride⌋ + 1" in conv
    assert "params      576·C + 64" in conv
    result = run("layers", "dense")
    assert result == Result(2, "", "Error: unknown layer 'dense'. Did you mean 'linear'?\n")


def test_version_and_help(run: Run) -> None:
    import convcalc

    assert run("--version").out == f"convcalc {convcalc.__version__}\n"
    for command in ("summarize", "check", "zoo", "layers", "schema", "completion"):
        assert command in run("--help").out
        shown = run(command, "-h")
        assert shown.code == 0
        assert r"\b" not in shown.out
        assert f"\n    convcalc {command}" in shown.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run: Run, shell: str) -> None:
    assert "_CONVCALC_COMPLETE" in run("completion", shell).out


def test_completion_knows_the_zoo() -> None:
    environment = {
        **os.environ, "_CONVCALC_COMPLETE": "bash_complete",
        "COMP_WORDS": "convcalc summarize resnet1", "COMP_CWORD": "2",
    }  # fmt: skip
    found = subprocess.run(
        [sys.executable, "-m", "convcalc"], env=environment, capture_output=True, text=True
    )
    assert {"plain,resnet18", "plain,resnet101", "plain,resnet152"} <= set(found.stdout.split())


def on_terminal(*arguments: str, columns: int, **environment: str) -> str:
    """What a command writes to a terminal of its own."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ.pop("NO_COLOR", None)
        os.environ.update({"COLUMNS": str(columns), "TERM": "xterm-256color", **environment})
        os.execv(sys.executable, [sys.executable, "-m", "convcalc", *arguments])
    found = b""
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not piece:
            break
        found += piece
    os.waitpid(pid, 0)
    os.close(terminal)
    return found.decode().replace("\r\n", "\n")


def piped(*arguments: str, **environment: str) -> str:
    """What a command writes to a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "convcalc", *arguments],
        capture_output=True, text=True, check=True, env={**os.environ, **environment},
    ).stdout  # fmt: skip


def test_terminal_has_colour_and_keeps_its_width() -> None:
    import re

    for columns in (80, 100, 160):
        shown = on_terminal("summarize", "resnet50", columns=columns)
        assert "\x1b[1m" in shown
        plain = re.sub(r"\x1b\[[0-9;]*m", "", shown)
        assert max(map(len, plain.splitlines())) <= columns
        assert "25,557,032" in plain
        assert "4,089,184,256" in plain


def test_no_color() -> None:
    assert "\x1b" not in on_terminal("summarize", "vgg16", columns=100, NO_COLOR="1")
    assert "\x1b" not in on_terminal("summarize", "vgg16", columns=100, TERM="dumb")


def test_piped_output_has_no_colour_and_loses_nothing() -> None:
    run = piped("summarize", "resnet50", "--all")
    assert "\x1b" not in run
    assert "…" not in run
    assert max(map(len, run.splitlines())) > 160


def test_piped_output_keeps_to_columns_where_it_is_set() -> None:
    for columns, width in (("100", 100), ("80", 80), ("0", 1000), ("", 1000), ("wide", 1000)):
        longest = max(map(len, piped("summarize", "vgg16", COLUMNS=columns).splitlines()))
        assert longest <= width
        assert (longest > 100) is (width > 100)
    assert piped("zoo", "--format", "csv", COLUMNS="20") == piped("zoo", "--format", "csv")


@pytest.mark.parametrize("arguments", ["summarize resnet152 --all", "schema", "zoo --format json"])
def test_a_closed_pipe_ends_silently(arguments: str) -> None:
    command = f"{sys.executable} -m convcalc {arguments} | head -n 1"
    run = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert run.stderr == ""
    assert run.stdout.count("\n") == 1
    assert run.returncode == 0


def test_an_encoding_without_box_characters() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "convcalc", "summarize", "vgg16"],
        capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )  # fmt: skip
    assert run.returncode == 0
    assert b"138,357,544" in run.stdout


@pytest.mark.parametrize("layer", ["conv", "max_pool", "avg_pool"])
def test_formulas_of_layers_are_in_their_stride(run: Run, layer: str) -> None:
    done = run("layers", layer)
    assert "+ 2·padding" in done.out
    assert ")/stride⌋ + 1, ⌊(W −" in done.out
