"""Where resized samples lie: against the formulas of ONNX's operator Resize in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mnv2c.plan.chain import Shape, Stage, StageKind, Window
from mnv2c.plan.clipping import column_ranges, inside_share
from mnv2c.plan.resampling import Axis, Coordinates, coordinates

extents = st.integers(1, 140)
axes = st.builds(Axis, extents, extents, st.sampled_from(list(Coordinates)))


def place(axis: Axis, output: int) -> Fraction:
    """The position of an output among the inputs, clamped, as ONNX defines it."""
    scale = Fraction(axis.outputs, axis.inputs)
    match axis.coordinates:
        case Coordinates.ALIGN_CORNERS:
            at = Fraction(output * (axis.inputs - 1), axis.outputs - 1) if axis.outputs > 1 else Fraction(0)
        case Coordinates.HALF_PIXEL:
            at = (output + Fraction(1, 2)) / scale - Fraction(1, 2)
        case Coordinates.ASYMMETRIC:
            at = output / scale
    return min(max(at, Fraction(0)), Fraction(axis.inputs - 1))


def test_the_names_that_onnx_has() -> None:
    assert [coordinates(str(how), (1, 1)) for how in Coordinates] == list(Coordinates)
    assert coordinates("pytorch_half_pixel", (2, 65)) is Coordinates.HALF_PIXEL
    assert coordinates("pytorch_half_pixel", (1, 65)) is None
    assert coordinates("tf_crop_and_resize", (2, 2)) is None


@given(axes)
def test_every_output_has_its_place(axis: Axis) -> None:
    for output in range(axis.outputs):
        segment, part = axis.position(output)
        assert 0 <= segment < axis.segments and 0 <= part <= axis.denominator
        assert segment + Fraction(part, axis.denominator) == place(axis, output)


@given(axes)
def test_segments_cut_the_outputs(axis: Axis) -> None:
    bounds = [axis.first(segment) for segment in range(axis.segments + 1)]
    assert bounds[0] == 0 and bounds[-1] == axis.outputs and bounds == sorted(bounds)
    for segment, (first, end) in enumerate(pairwise(bounds)):
        assert {axis.position(output)[0] for output in range(first, end)} <= {segment}
    inner = [end - first for first, end in pairwise(bounds)][1:-1]
    assert all(length <= axis.longest for length in inner)


def dilated(rate: int, rows: int = 33, columns: int = 33) -> Stage:
    window = Window((3, 3), (1, 1), (rate, rate), ((rate, rate), (rate, rate)))
    return Stage("conv", StageKind.CONV, ("input_0",), Shape(rows, columns, 8), window)


@given(st.integers(2, 40), extents, extents)
def test_ranges_have_the_taps_inside(rate: int, rows: int, columns: int) -> None:
    stage, source = dilated(rate, rows, columns), Shape(rows, columns, 4)
    places = {}
    for part in column_ranges(stage, source):
        for column in range(part.first, part.first + part.count):
            assert column not in places
            places[column] = part.taps
    wanted = {
        column: tuple(tap for tap in range(3) if 0 <= column + (tap - 1) * rate < columns) for column in range(columns)
    }
    assert places == wanted
    inside = sum(
        0 <= row + y * rate < rows and 0 <= column + x * rate < columns
        for row in range(rows)
        for column in range(columns)
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    ) if rows * columns < 900 else None  # fmt: skip
    if inside is not None:
        assert abs(inside_share(stage, source) - inside / (9 * rows * columns)) < 1e-12


def test_most_of_a_large_window_lies_outside() -> None:
    assert [round(inside_share(dilated(rate), Shape(33, 33, 4)), 3) for rate in (6, 12, 18)] == [0.772, 0.574, 0.405]
