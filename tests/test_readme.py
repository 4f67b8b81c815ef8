"""The README shows real output: its commands are run, its Python is a doctest.

`UPDATE_README=1 python -m pytest tests/test_readme.py` writes what they print into it.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import convcalc
from convcalc.layer import fields
from convcalc.layers import layer_class, layer_names

README = Path(__file__).parent.parent / "README.md"
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
MERMAID = re.compile(r"<!-- (convcalc .*?) -->\n```mermaid\n.*?```", re.DOTALL)
FILE = re.compile(r"```yaml\n(# (\S+\.yaml)\n.*?)```", re.DOTALL)
LAYERS = re.compile(r"(<!-- layers -->\n).*?(<!-- /layers -->)", re.DOTALL)


def console(commands: list[str], folder: Path) -> str:
    """What a terminal of 100 columns shows of some commands, without colours."""
    shown = []
    for command in commands:
        assert command.startswith("convcalc ")
        run = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "PYTHONPATH": str(README.parent), "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        assert "Traceback" not in run.stdout
        shown.append(f"$ {command}\n{run.stdout}")
    return "\n".join(shown)


def with_real_output(text: str, folder: Path) -> str:
    for content, name in FILE.findall(text):
        (folder / name).write_text(content)

    def real(block: re.Match[str]) -> str:
        commands = [line[2:] for line in block[1].splitlines() if line.startswith("$ ")]
        return f"```console\n{console(commands, folder)}```"

    def picture(block: re.Match[str]) -> str:
        _, printed = console([block[1]], folder).split("\n", 1)
        return f"<!-- {block[1]} -->\n```mermaid\n{printed}```"

    text = MERMAID.sub(picture, CONSOLE.sub(real, text))
    return LAYERS.sub(lambda m: m[1] + layer_table() + m[2], text)


def layer_table() -> str:
    rows = ["| layer | fields | what it does |", "|---|---|---|"]
    for name in sorted(layer_names()):
        layer = layer_class(name)
        own = [f"`{field.name}`{'' if field.required else '?'}" for field in fields(layer)]
        own = ["`branches`"] * layer.merges + own
        summary = (layer.__doc__ or "").split("\n")[0].replace("|", "\\|").replace("*", "\\*")
        rows.append(f"| `{name}` | {' '.join(own)} | {summary} |")
    return "\n".join(rows) + "\n"


def test_the_readme_shows_what_the_commands_print(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    real = with_real_output(text, tmp_path)
    if os.environ.get("UPDATE_README"):
        README.write_text(real, encoding="utf-8")
        pytest.skip("README.md was written, not tested")
    assert text == real


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_workflow_compares_specs_that_changed_and_shows_new_ones(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    (script,) = re.findall(r"        run: \|\n((?: {10}.*\n)+)", text)
    repository, summary = tmp_path / "repository", tmp_path / "summary.md"
    nets = repository / "nets"
    nets.mkdir(parents=True)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "convcalc").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m convcalc "$@"\n')
    (bin_ / "convcalc").chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(README.parent), "GITHUB_STEP_SUMMARY": str(summary),
        **{f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in
           ("NAME", "EMAIL")},
    }  # fmt: skip

    def sh(command: str) -> int:
        return subprocess.run(
            ["bash", "-e", "-c", command], cwd=repository, env=environment, stdout=subprocess.PIPE
        ).returncode

    def write(name: str, out: int) -> None:
        (nets / f"{name}.yaml").write_text(f"{{name: {name}, input: [8], layers: [linear: {out}]}}")

    for name in ("same", "larger", "gone"):
        write(name, 100)
    commit = "git add -A && git commit -q -m nets"
    assert sh(f"git init -q . && {commit}") == 0
    write("larger", 101)
    write("new", 5)
    (nets / "gone.yaml").unlink()
    assert sh(commit) == 0
    assert sh(script) == 1  # larger has more params
    titles = re.findall("^### (.*)$", summary.read_text(), re.MULTILINE)
    assert titles == ["larger", "new"]
    write("larger", 99)
    summary.unlink()
    assert sh(f"git worktree remove -f ../base && {commit}") == 0
    assert sh(script) == 0
    assert "± Params" in summary.read_text()


def test_every_spec_in_the_readme_is_one() -> None:
    """But for the broken one, and pieces of specs that show entries."""
    for content, name in FILE.findall(README.read_text(encoding="utf-8")):
        if name != "broken.yaml":
            assert convcalc.loads(content).graph.nodes
    for piece in re.findall(r"```yaml\n(layers:.*?)```", README.read_text(), re.DOTALL):
        spec = f"input: [3, 32, 32]\nvariables: {{width: 128}}\n{piece}"
        assert convcalc.loads(spec if "width" in piece else f"input: [3, 32, 32]\n{piece}")


def test_the_python_in_the_readme() -> None:
    failed, tried = doctest.testfile(str(README), module_relative=False)
    assert tried > 5
    assert failed == 0


@pytest.mark.parametrize("module", ["convcalc", "convcalc.network"])
def test_examples_in_docstrings(module: str) -> None:
    import importlib

    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried
    assert failed == 0


def test_the_first_screen_has_the_two_commands() -> None:
    first = README.read_text(encoding="utf-8").split("\n")[:24]
    commands = [line for line in first if line.startswith("python3 -m venv")]
    assert len(commands) == 2
    assert commands[0].endswith("convcalc summarize vgg16")
    assert commands[1].endswith("python -m pytest -n auto")
