"""`python -m tests.benchmarks.speed`: commands and large networks, as ratios of one run."""

from __future__ import annotations

import compileall
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import convcalc
from convcalc.spec.zoo import zoo_names

ROUNDS = 9


def main() -> None:
    # as pip does on installing; an editable checkout may never have been compiled
    compileall.compile_dir(Path(convcalc.__file__).parent, quiet=2)
    commands()
    chains()


def commands() -> None:
    """Whole processes against the imports that no command can do without, taken in turn."""
    convcalc_command = [sys.executable, "-m", "convcalc", "summarize", "resnet152"]
    runs: dict[str, Callable[[], float]] = {
        'python -c "import yaml, click"': lambda: piped(
            [sys.executable, "-c", "import yaml, click"]
        ),
        "the same on a terminal": lambda: on_terminal([sys.executable, "-c", "import yaml, click"]),
        "summarize resnet152, piped": lambda: piped(convcalc_command),
        "summarize resnet152, on a terminal": lambda: on_terminal(convcalc_command),
        "summarize resnet152 --all, piped": lambda: piped([*convcalc_command, "--all"]),
        "summarize resnet152 --all, on a terminal": lambda: on_terminal(
            [*convcalc_command, "--all"]
        ),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(ROUNDS + 1):
        for name, run in runs.items():
            seconds = run()
            if round_:  # the first round fills the caches
                times[name].append(seconds)
    base = times['python -c "import yaml, click"']
    print(f"{'whole process':<42} {'median ms':>10} {'ratio':>7}")
    for name, found in times.items():
        ratio = statistics.median(a / b for a, b in zip(found, base, strict=True))
        print(f"{name:<42} {statistics.median(found) * 1e3:>10.1f} {ratio:>7.2f}")


def piped(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - start


def on_terminal(command: list[str]) -> float:
    """The time until a command on a terminal of its own has ended and all is read."""
    start = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    while True:
        try:
            if not os.read(terminal, 65_536):
                break
        except OSError:  # how Linux says that the other side is closed
            break
    os.waitpid(pid, 0)
    os.close(terminal)
    return time.perf_counter() - start


def chains() -> None:
    """Long networks; twice the length should take twice the time."""
    conv = {"conv": {"out_channels": 8, "kernel": 3, "padding": 1}}
    print(f"\n{'load and summarize':<42} {'seconds':>10} {'ratio':>7}")
    before = 0.0
    for length in (100_000, 200_000):
        text = f"input: [8, 32, 48]\nlayers: [{{conv: {{out_channels: 8, kernel: 3, padding: 1}}, repeat: {length}}}]"  # noqa: E501
        before = _line(f"repeat: {length:,}", lambda text=text: convcalc.loads(text), before)
    before = 0.0
    for length in (100_000, 200_000):
        spec = {"input": [8, 32, 48], "layers": [dict(conv) for _ in range(length)]}
        before = _line(f"from_dict, {length:,}", lambda spec=spec: convcalc.from_dict(spec), before)
    start = time.perf_counter()
    names = zoo_names()
    for name in names:
        convcalc.load(name).summarize().totals  # noqa: B018
    print(f"{f'the whole zoo, {len(names)} nets':<42} {time.perf_counter() - start:>10.2f}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "written.yaml"
        layers = (
            f"  - conv: {{out_channels: {8 + i % 5}, kernel: 3, padding: 1}}\n  - relu\n"
            for i in range(5_000)
        )
        file.write_text("input: [8, 32, 48]\nlayers:\n" + "".join(layers))
        _line("written out, 10,000 layers", lambda: convcalc.load(file), 0.0)


def _line(name: str, load: Callable[[], convcalc.Network], before: float) -> float:
    start = time.perf_counter()
    totals = load().summarize().totals
    seconds = time.perf_counter() - start
    assert totals.macs
    ratio = f"{seconds / before:7.2f}" if before else ""
    print(f"{name:<42} {seconds:>10.2f} {ratio}")
    return seconds


if __name__ == "__main__":
    main()
