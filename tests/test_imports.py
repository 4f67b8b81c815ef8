"""What imports what: a light start, and one direction."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import convcalc

PACKAGE = Path(convcalc.__file__).parent

# from the ground up: a module imports those above it, never those below
ORDER = [
    "errors", "notation", "program", "dim", "arith", "cost", "view", "arrays", "fields", "layer",
    "layers", "graph", "spec", "analysis", "conventions", "execution", "interchange",
    "report", "network", "claims", "commands", "__main__",
]  # fmt: skip


def imported(code: str) -> set[str]:
    """The modules that a fresh interpreter has after running some code."""
    program = f"import sys\n{code}\nprint(*sorted(sys.modules), file=sys.stderr)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(run.stderr.split())


def test_import_convcalc_is_light() -> None:
    loaded = imported("import convcalc")
    assert not loaded & {"numpy", "rich", "click", "yaml", "convcalc.network"}


def test_the_proof_can_fail() -> None:
    assert "numpy" in imported("import convcalc, numpy")


@pytest.mark.parametrize(
    "command",
    [
        "summarize vgg16",
        "check vgg16 --max params=1G",
        "diff resnet18 resnet34",
        "layers conv",
        "schema",
        "limits alexnet",
        "compare lenet5 vgg16 --rows stages",
        "graph vgg16 --format mermaid",
        "fit resnet50 --vary H,W --keep peak_bytes<=1GiB",
    ],
)
def test_commands_need_no_numpy_and_no_rich_when_piped(command: str) -> None:
    code = f"""
sys.argv = ["convcalc", *{command.split()}]
from convcalc.__main__ import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    loaded = imported(code)
    assert "convcalc.network" in loaded
    assert not loaded & {"numpy", "rich", "sympy", "pathlib", "urllib.parse", "html", "pandas"}


def test_summarize_imports_only_the_layers_it_needs() -> None:
    loaded = imported("import convcalc; convcalc.load('vgg16').summarize()")
    families = {name for name in loaded if name.startswith("convcalc.layers.")}
    assert "convcalc.layers.conv" in families
    assert "convcalc.layers.conv_transpose" not in families


def test_imports_run_one_way() -> None:
    for file in PACKAGE.rglob("*.py"):
        module = file.relative_to(PACKAGE).with_suffix("").parts
        if module == ("__init__",):
            continue
        place = ORDER.index(module[0])
        for name in dependencies(file):
            assert ORDER.index(name) <= place, f"{'/'.join(module)} imports convcalc.{name}"


def dependencies(file: Path) -> set[str]:
    """The parts of convcalc that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "convcalc" and len(parts) > 1 and parts[1] in ORDER:
                found.add(parts[1])
    return found


def test_layer_files_and_arithmetic_import_no_array_library() -> None:
    for file in [PACKAGE / "arith.py", *(PACKAGE / "layers").glob("*.py")]:
        assert "numpy" not in file.read_text(encoding="utf-8"), file


def test_public_names() -> None:
    assert set(convcalc.__all__) == {
        "ConvcalcError", "Dim", "Network", "Report", "compare", "diff", "from_dict", "load",
        "loads",
    }  # fmt: skip
    for name in convcalc.__all__:
        assert getattr(convcalc, name) is not None
    assert set(dir(convcalc)) == {*convcalc.__all__, "__version__"}
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        convcalc.laod  # noqa: B018
