"""Every operator that is accepted, with the corner cases of its attributes: compiled, and equal to onnxruntime's.

Small independent cases are the parts of one network, so that many share a compile. The full product is slow.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import pytest

from mnv2c.errors import UserError
from mnv2c.from_onnx.operators import ONLY_FOLDED, OPERATORS
from mnv2c.from_onnx.read import parse_onnx
from mnv2c.to_relax.importer import import_onnx
from tests.operators import elementwise, pooling, products, resizing, shapes
from tests.operators.case import Case, case, constant, image, network, wrong

pytestmark = pytest.mark.filterwarnings("ignore::mnv2c.errors.FallbackWarning")

CASES = [entry for part in (pooling, elementwise, shapes, products, resizing) for entry in part.CASES]
GOOD = [entry for entry in CASES if not entry.refused]
PER_OPERATOR = 3
"""Cases of each operator and opset in the default run, spread evenly over all."""
PER_NETWORK = 80


def selected(cases: Iterable[Case], most: int) -> list[Case]:
    """At most so many cases of each operator and opset."""

    def kind(entry: Case) -> tuple[int, str, str]:
        return entry.opset, entry.operator, str(entry.attributes.get("mode", ""))

    chosen: list[Case] = []
    for _, group in groupby(sorted(cases, key=kind), kind):
        members = list(group)
        step = max(len(members) / most, 1.0)
        chosen += [members[int(index * step)] for index in range(min(most, len(members)))]
    return chosen


def networks(cases: Iterable[Case]) -> list[tuple[Case, ...]]:
    """The cases cut into networks of one opset."""
    ordered = sorted(cases, key=lambda entry: entry.opset)
    found = []
    for _, group in groupby(ordered, lambda entry: entry.opset):
        members = tuple(group)
        found += [members[start : start + PER_NETWORK] for start in range(0, len(members), PER_NETWORK)]
    return found


def label(cases: tuple[Case, ...]) -> str:
    return f"opset {cases[0].opset}, {cases[0].operator} to {cases[-1].operator}"


def is_image(entry: Case) -> bool:
    """Whether a convolution can stand before it."""
    ports = [operand for operand in entry.operands if hasattr(operand, "positive")]
    return any(len(port.shape) == 4 and port.dtype == "float32" and not port.positive for port in ports)


RECENT = [entry for entry in GOOD if entry.opset in (13, 17)]
TURNED = [
    case("LayerNormalization", image(4, 3, 5), constant(4, 3, 5), constant(4, 3, 5, seed=1), axis=1),
    case("Concat", image(4, 6, 5), constant(1, 2, 6, 5), image(4, 6, 5), axis=1),
    case("Concat", image(4, 6, 5), image(4, 6, 5), axis=0),
]
"""What was wrong between convolutions, and right alone."""


@pytest.mark.parametrize("cases", networks(selected(GOOD, PER_OPERATOR)), ids=label)
def test_results_equal_onnxruntimes(cases: tuple[Case, ...], tmp_path: Path) -> None:
    assert wrong(cases, tmp_path) == []


@pytest.mark.parametrize("cases", networks([*selected(filter(is_image, RECENT), 2), *TURNED]), ids=label)
def test_between_convolutions_the_layout_is_another_and_the_results_the_same(
    cases: tuple[Case, ...], tmp_path: Path
) -> None:
    assert wrong(cases, tmp_path, between=True) == []


@pytest.mark.slow
@pytest.mark.parametrize("cases", networks(GOOD), ids=label)
def test_the_full_product(cases: tuple[Case, ...], tmp_path: Path) -> None:
    assert wrong(cases, tmp_path, seed=1) == []


@pytest.mark.slow
@pytest.mark.parametrize("cases", networks(filter(is_image, GOOD)), ids=label)
def test_the_full_product_between_convolutions(cases: tuple[Case, ...], tmp_path: Path) -> None:
    assert wrong(cases, tmp_path, between=True) == []


@pytest.mark.parametrize("entry", [entry for entry in CASES if entry.refused], ids=str)
def test_what_is_not_done_right_is_refused_in_one_line(entry: Case, tmp_path: Path) -> None:
    model, _ = network([entry])
    with pytest.raises(UserError) as error:
        import_onnx(parse_onnx(model.SerializeToString(), tmp_path)[0])
    assert entry.refused in str(error.value)
    assert "\n" not in str(error.value)


def test_every_operator_that_is_accepted_has_a_case() -> None:
    folded = ONLY_FOLDED | {"Constant", "Shape", "Size"}
    assert OPERATORS - folded <= {entry.operator for entry in GOOD}
