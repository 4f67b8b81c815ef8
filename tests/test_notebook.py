"""The notebook: its cells run, and show what is stored in it.

They run in order in one namespace, and what is shown is asked for as Jupyter does: by the methods
`_repr_html_`, `_repr_markdown_`, `_repr_latex_` and `_repr_svg_`. Jupyter itself, which takes
longer to start than all of them, is not needed. Pictures depend on the versions of those who draw
them: they are no part of the file, and need only be pictures.

`UPDATE_NOTEBOOK=1 python -m pytest tests/test_notebook.py` writes what the cells show into it.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import html5lib
import pytest

import convcalc
from convcalc.network import Network
from convcalc.report.page import Page

NOTEBOOK = Path(__file__).parent / "notebook" / "tour.ipynb"
METHODS = {
    "text/html": "_repr_html_",
    "text/markdown": "_repr_markdown_",
    "text/latex": "_repr_latex_",
    "image/svg+xml": "_repr_svg_",
}
PICTURE = "image/svg+xml"


def shown(value: Any) -> dict[str, str]:
    """What Jupyter stores of a value: every form that it has."""
    found = {form: getattr(value, name, lambda: None)() for form, name in METHODS.items()}
    bundle = {form: text for form, text in found.items() if text is not None}
    return {**bundle, "text/plain": repr(value)}


def outputs(source: str, namespace: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """What a cell prints, and the value of its last line."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    value = None
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), namespace)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace)
    found: list[dict[str, Any]] = []
    result = {"execution_count": count, "metadata": {}, "output_type": "execute_result"}
    if printed.getvalue():
        found.append({"name": "stdout", "output_type": "stream", "text": lines(printed.getvalue())})
    if value is not None:
        data = {form: lines(text) for form, text in sorted(shown(value).items())}
        found.append({**result, "data": data})
    return found


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def missing(cell: dict[str, Any]) -> str:
    """The library that a cell needs, as its tags say, and that is not installed."""
    tags = cell["metadata"].get("tags", [])
    needed = [tag.removeprefix("needs-") for tag in tags if tag.startswith("needs-")]
    return next((name for name in needed if importlib.util.find_spec(name) is None), "")


def run(notebook: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The cells of code, each with what it shows; without those that need a missing library."""
    namespace: dict[str, Any] = {}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for count, cell in enumerate(code, 1):
        if not missing(cell):
            yield cell, outputs("".join(cell["source"]), namespace, count)


def without_pictures(cell: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for output in cell:
        output.get("data", {}).pop(PICTURE, None)
    return cell


def test_the_notebook_shows_what_its_cells_give() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    update = os.environ.get("UPDATE_NOTEBOOK")
    for count, (cell, found) in enumerate(run(notebook), 1):
        for output in found:
            if PICTURE in output.get("data", {}):
                picture = "".join(output["data"][PICTURE])
                assert ElementTree.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
        if update:
            cell.update(outputs=without_pictures(found), execution_count=count)
        else:
            assert without_pictures(found) == cell["outputs"]
    if update:
        text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
        NOTEBOOK.write_text(f"{text}\n", encoding="utf-8")
        pytest.skip("the notebook was written, not tested")


def test_another_result_is_noticed() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    (cell,) = [c for c in notebook["cells"] if c["source"] == ['net.formula("macs")']]
    for of in ("macs", "params"):
        source = f"import convcalc\nconvcalc.load('lenet5').formula('{of}')"
        found = outputs(source, {}, cell["execution_count"])
        assert (found == cell["outputs"]) == (of == "macs")


# -- what is shown --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net() -> Network:
    return convcalc.load("lenet5")


@pytest.mark.parametrize(
    ("make", "forms"),
    [
        (lambda net: net, {"text/html"}),
        (lambda net: net.summarize(), {"text/html"}),
        (lambda net: net.summarize(symbolic="H"), {"text/html"}),
        (lambda net: net.sweep({"H": [28, 32]}), {"text/html"}),
        (lambda net: net.fit("N", "macs < 1G"), {"text/html"}),
        (lambda net: net.quiz(3), {"text/html"}),
        (lambda net: net.verify(), {"text/html"}),
        (lambda net: net.formula("macs"), {"text/latex"}),
        (lambda net: net.formula("macs").value, {"text/latex"}),
        (lambda net: net.output_formula("conv2")[1], {"text/latex"}),
        (lambda net: net.explain("conv1"), {"text/markdown", "text/latex"}),
        (lambda net: net.walk_through(), {"text/markdown"}),
        (lambda net: net.summarize().draw(), {"text/markdown"}),
        (lambda net: net.compile(), set()),
    ],
)
def test_everything_has_a_form_for_notebooks(net: Network, make: Any, forms: set[str]) -> None:
    found = shown(make(net))
    assert set(found) - {PICTURE} == {*forms, "text/plain"}
    assert " object at 0x" not in found["text/plain"]
    if "text/html" in forms:
        html5lib.HTMLParser(strict=True).parseFragment(found["text/html"])
    if "text/latex" in forms and "text/markdown" not in forms:
        assert found["text/latex"].startswith("$")


@pytest.mark.parametrize("option", [{}, {"symbolic": "H, W"}])
def test_rows_are_mappings_and_data_frames(net: Network, option: dict[str, Any]) -> None:
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    report = net.summarize(**option)
    rows = report.to_dicts()
    assert [row["name"] for row in rows] == [row.name for row in report.rows]
    frame = report.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == list(rows[0])
    assert frame["params"].tolist() == [row["params"] for row in rows]
    if not option:
        assert net.to_dicts() == rows
        assert net.to_pandas().equals(frame)
        assert frame["params"].sum() == report.totals.params


def test_modules_can_be_folded_away() -> None:
    shown_as = convcalc.load("resnet18")._repr_html_()
    assert shown_as.count("<details") > 8
    assert isinstance(convcalc.load("resnet18").summarize(), Page)
