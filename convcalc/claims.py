"""What lecture slides claim, held against what the public interface of convcalc computes.

`architectures/lectures/claims.csv` has a line for every claim:

    claimed   what the slide prints: "3.6B", "55x55x96", "m*(1+F^2)*#ch"
    spec      the nets that the query reads, of the zoo or of `_nets.yaml` beside the file
    query     an expression of the spec language over their results: what is recomputed
    against   what the claimed figures are held against, where that is not the query: a slide that
              prints 28x28x6 is held against [28, 28, 6], also where the figure asked for is another
    reading   the claim as an expression, where it is a formula or a sentence: m*(1 + F**2)*ch
    cell      where it stands in a table on the slides, if in one: table|row|column
    slip      "notation" where what is wrong is only how it is written, and no number is affected

No figure stands there: all of them come out of a spec. The names in an expression are

    conv1.params, block1.conv2.height     of a layer: everything that a row of the report has, and
                                          `shape` (without N), `hwc` (as slides write it),
                                          `channels`, `height`, `width`, `features`, `size` (its
                                          elements), `field`, `stride` and `sees` (the input that
                                          the first unit sees: first and last along each axis)
    input.size                            of the input
    conv.params, conv.count, block1.conv.size   sums over all layers of a kind, and their number;
                                          with the start of a path, over those below it
    totals.macs                           of the network; `totals.depth`, the most layers of the
                                          kinds conv and linear in a row, is what "ResNet-50" counts
    kh, m                                 variables of the spec: the letters of the slide

and, where a claim is about several nets, all start with the name of one: lenet5.conv1.params.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

# the nets come through the public interface, as a lecturer would get them; it lies above this
# module in the order of imports, and nothing but the command imports this one
import convcalc
from convcalc.dim import Dim
from convcalc.errors import ConvcalcError, SpecError
from convcalc.spec.expressions import parse
from convcalc.spec.tree import List, Map, Scalar, Tree, parse_yaml
from convcalc.spec.zoo import read_text, zoo_folder

DECKS = ("A", "B", "C", "D", "E")

EXACT, ROUNDED, WRONG, FAILED = "exact", "rounded", "wrong", "failed"
NOTATION = "notation"
_ORDER = (EXACT, ROUNDED, WRONG)


class Claim(NamedTuple):
    """A claim with what is true: `recomputed` is a number, or a tuple of numbers.

    It is None where convcalc failed: the explanation is then its error. `at` says for which sizes
    a formula was recomputed: "nh = 3, kh = 2". `cell` is the table on the slides that it stands
    in, with its row and its column there.
    """

    id: str
    deck: str
    claim: str
    claimed: str
    recomputed: Any
    verdict: str
    explanation: str
    at: str = ""
    cell: tuple[str, ...] = ()


def claims(decks: Iterable[str] = DECKS) -> Iterator[Claim]:
    """The claims of some decks, recomputed, in the order of the slides."""
    nets = Nets()
    wanted = set(decks)
    for line in _lines():
        if line["deck"] not in wanted:
            continue
        explanation, at = line["explanation"], ""
        try:
            names = Names(nets, line["spec"].split())
            recomputed, found = judged(line, names)
            at = sizes(line["reading"], names)
        except ConvcalcError as error:
            # one net that does not fit together is no reason to hide all others
            recomputed, found, explanation = None, FAILED, f"Not recomputed: {error}"
        yield Claim(
            line["id"], line["deck"], line["claim"], line["claimed"], recomputed, found,
            explanation, at, tuple(filter(None, line["cell"].split("|"))),
        )  # fmt: skip


def decks_with_tables() -> list[str]:
    """The decks whose slides have tables of such figures."""
    return sorted({line["deck"] for line in _lines() if line["cell"]})


def _lines() -> Iterator[dict[str, str]]:
    text = read_text(os.path.join(_folder(), "claims.csv"))
    return iter(csv.DictReader(io.StringIO(text)))


def judged(line: dict[str, str], names: Names) -> tuple[Any, str]:
    """What a line's query gives, and the verdict on its claim."""
    recomputed = evaluate(line["query"], names)
    measured = evaluate(line["against"], names) if line["against"] else recomputed
    if line["reading"]:
        # a formula has no digits to round to
        found = EXACT if evaluate(line["reading"], names) == measured else WRONG
    else:
        found = verdict(line["claimed"], measured)
    return recomputed, line["slip"] if line["slip"] and found == WRONG else found


def sizes(reading: str, names: Names) -> str:
    """The letters of a formula, with the numbers that the specs give them: "nh = 3, kh = 2"."""
    found = {}
    for path in re.findall(r"[A-Za-z_][\w.]*", reading):
        *owner, name = path.split(".")
        spec = owner or names.specs
        if len(spec) == 1 and spec[0] in names.specs:
            variables = names.nets[spec[0]].variables
            if name in variables:
                found[name] = f"{variables[name]:,}"
    return ", ".join(f"{name} = {value}" for name, value in found.items())


# -- verdicts -----------------------------------------------------------------------------------


class Printed(NamedTuple):
    """A number as it is printed: its value, what its last digit counts, and how many digits."""

    value: Fraction
    place: Fraction
    digits: int


# 102,760,448 or 62.3M or 14 GB or 1 GFLOP, but 512, 1024, 512 is three numbers
_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+(?!\d)|\d+)(\.\d+)?(?:\s?([kKMGBT])(?=\b|B\b|FLOP|MAC))?")
_SCALES = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}


def printed_numbers(text: str) -> list[Printed]:
    """The numbers in what a slide prints, units left out.

    K, M, G or B (billion) and T are powers of ten. Zeros at the end of a whole number only hold
    the place, since nobody can say whether they were counted: 400K has one digit, which counts
    hundred thousands, 614K has three; 3.0M has two.

    >>> printed_numbers("3.6B")
    [Printed(value=Fraction(3600000000, 1), place=Fraction(100000000, 1), digits=2)]
    """
    found = []
    for whole, decimals, scale in _NUMBER.findall(text):
        whole = whole.replace(",", "")
        shown = whole.lstrip("0") + decimals[1:] if whole.strip("0") else decimals[1:].lstrip("0")
        place = Fraction(_SCALES[scale], 10 ** max(0, len(decimals) - 1))
        if not decimals:
            held = shown.rstrip("0")
            place *= 10 ** (len(shown) - len(held))
            shown = held
        value = Fraction(whole + decimals) * _SCALES[scale]
        found.append(Printed(value, place, len(shown)))
    return found


def verdict(claimed: str, measured: Any) -> str:
    """How the numbers that a slide prints stand to the true ones: exact, rounded or wrong.

    - exact: the number printed is the true one, every digit of it.
    - rounded: it is the true one rounded to the digits printed, a half either way; or cut off
      after them, as slides do (101M for 101,616,768), if at least two digits are left. What is
      cut off after one digit may be half of the number: 400k for 470,400 is no rounding.
    - wrong: neither.

    Of several numbers, 55x55x96 say, the worst counts. A sign for "about" (~) changes nothing.

    >>> verdict("3.6B", 3_600_000_000), verdict("101M", 101_616_768), verdict("400k", 470_400)
    ('exact', 'rounded', 'wrong')

    Raises:
        ConvcalcError: there are not as many numbers printed as measured.
    """
    numbers = printed_numbers(claimed)
    values = list(_flat(measured))
    if len(numbers) != len(values):
        raise ConvcalcError(f"'{claimed}' has {len(numbers)} numbers, not {len(values)}")
    found = [_judge(number, value) for number, value in zip(numbers, values, strict=True)]
    return max(found, key=_ORDER.index)


def _judge(printed: Printed, value: Any) -> str:
    rest = value - printed.value
    if rest == 0:
        return EXACT
    rounded = abs(rest) <= printed.place / 2
    cut_off = printed.digits >= 2 and 0 <= rest < printed.place
    return ROUNDED if rounded or cut_off else WRONG


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for item in value:
            yield from _flat(item)
    else:
        yield value


# -- results ------------------------------------------------------------------------------------

_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_DOT = "__"
"""What stands for a dot: the language of expressions has names, but no paths."""


def evaluate(text: str, names: Names) -> Any:
    """The value of an expression with paths in it.

    Raises:
        SpecError: it is no expression, or names what its nets do not have.
    """
    dotless = _PATH.sub(lambda path: path[0].replace(".", _DOT), text)
    try:
        return parse(dotless).evaluate(names)
    except KeyError as error:  # of a lone name, which in a spec might be a word
        raise SpecError(f"nothing is called '{error.args[0]}' in '{text}'") from None


class Names:
    """The names of an expression: the results of one net, or of several, each with its name."""

    def __init__(self, nets: Nets, specs: list[str]) -> None:
        self.nets = nets
        self.specs = specs

    def __getitem__(self, name: str) -> Any:
        path = name.split(_DOT)
        if len(self.specs) == 1:
            return self.nets[self.specs[0]].find(path)
        if path[0] not in self.specs:
            raise KeyError(name)
        return self.nets[path[0]].find(path[1:])

    def known(self) -> Iterable[str]:
        """For suggestions; the paths are too many to be of help."""
        return self.specs

    def spend(self, items: int) -> None:
        """Our own file needs no limit on its work."""

    def same(self, a: Dim, b: Dim) -> bool:
        """Whether symbolic sizes are equal: no claim asks."""
        raise NotImplementedError


class Nets:
    """The nets by name, each built when it is first asked for."""

    def __init__(self) -> None:
        self.built: dict[str, Results] = {}

    @cached_property
    def specs(self) -> dict[str, Any]:
        """The specs of _nets.yaml."""
        found = _python(parse_yaml(read_text(os.path.join(_folder(), "_nets.yaml")), "_nets.yaml"))
        assert isinstance(found, dict)
        return found

    def __getitem__(self, name: str) -> Results:
        if name not in self.built:
            own = self.specs.get(name)
            net = convcalc.load(name) if own is None else convcalc.from_dict(own)
            self.built[name] = Results(net)
        return self.built[name]


class Results:
    """What convcalc says of one net, by path."""

    def __init__(self, net: convcalc.Network) -> None:
        self.net = net
        self.variables = net.variables
        self.report = net.summarize()
        self.rows = {row.name: row for row in self.report.rows}
        self.shapes = {node.path: node.shape for node in self.report.graph.inputs}
        self.shapes.update((name, row.output_shape) for name, row in self.rows.items())

    def find(self, path: list[str]) -> Any:
        """The value of a path.

        Raises:
            KeyError: there is none.
        """
        if len(path) < 2:
            return self.variables["".join(path)]
        *owner, quantity = path
        name = ".".join(owner)
        if name == "totals":
            return self.depth if quantity == "depth" else self.report.totals._asdict()[quantity]
        if name in self.shapes:
            return self._of_layer(name, quantity)
        start, _, kind = name.rpartition(".")
        found = [n for n, row in self.rows.items() if row.type == kind and n.startswith(start)]
        if not found:
            raise KeyError(name)
        if quantity == "count":
            return len(found)
        return sum(self._of_layer(name, quantity) for name in found)

    def _of_layer(self, name: str, quantity: str) -> Any:
        shape = self.shapes[name][1:]
        if quantity in _OF_SHAPE:
            return _OF_SHAPE[quantity](shape)
        row = self.rows.get(name)
        if row is None:  # an input has a shape and nothing else
            raise KeyError(f"{name}.{quantity}")
        if quantity == "field":
            return row.receptive_field
        if quantity == "stride":
            return row.receptive_stride
        if quantity == "sees":
            (ranges,) = self.net.seen_by(name, [0] * len(shape[1:])).values()
            return tuple(ranges)
        try:
            return getattr(row, quantity)
        except AttributeError:
            raise KeyError(f"{name}.{quantity}") from None

    @cached_property
    def depth(self) -> int:
        """The most convolutions and linear layers on a way from the input to an output."""
        depths = dict.fromkeys(self.shapes, 0)
        for name, row in self.rows.items():
            before = max((depths[source] for source in row.inputs), default=0)
            depths[name] = before + (row.type in ("conv", "linear"))
        return max(depths.values())


def _elements(shape: Any) -> Any:
    size = 1
    for axis in shape:
        size *= axis
    return size


_OF_SHAPE: dict[str, Callable[[Any], Any]] = {
    "shape": tuple,
    "hwc": lambda shape: (*shape[1:], shape[0]),
    "channels": lambda shape: shape[0],
    "height": lambda shape: shape[1],
    "width": lambda shape: shape[2],
    "features": lambda shape: shape[-1],
    "size": _elements,
}


def _folder() -> str:
    return os.path.join(zoo_folder(), "lectures")


def _python(tree: Tree) -> Any:
    """A tree as `convcalc.from_dict` takes it: text, lists and mappings."""
    if isinstance(tree, Scalar):
        return tree.text or None
    if isinstance(tree, List):
        return [_python(item) for item in tree.items]
    if isinstance(tree, Map):
        return {key.text: _python(value) for key, value in tree.pairs}
    raise SpecError("a tree of another kind")
