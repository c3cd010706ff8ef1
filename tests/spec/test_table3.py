"""Table 3: the paper's figures, its formula, and the tensors that exist."""

from __future__ import annotations

from dataclasses import replace

from mnv2c.spec import load
from mnv2c.spec.table3 import TABLE3, TABLE3_MAXIMUM, table3

BASE = load("mobilenet_v2")


def test_maximum_of_each_column() -> None:
    for column, maximum in TABLE3_MAXIMUM.items():
        assert max(getattr(line, column).kilobytes or 0 for line in TABLE3) == maximum


def test_the_formula_gives_the_paper_s_column() -> None:
    lines = table3(BASE)
    assert [line.size for line in lines] == [(112, 112), (56, 56), (28, 28), (14, 14), (7, 7), (1, 1)]
    for line in lines[1:]:
        assert line.paper is not None and line.formula is not None
        assert line.formula.shape[2] == line.paper.channels
        assert abs(line.formula.bytes / 1000 - (line.paper.kilobytes or 0)) <= 1


def test_real_tensors() -> None:
    assert [line.real.shape[2] for line in table3(BASE)] == [32, 24, 32, 96, 320, 1280]
    assert table3(BASE)[1].real.bytes == 150_528


def test_other_models_have_their_own_lines() -> None:
    lines = table3(replace(BASE, height=97, image_width=131, output_stride=8))
    assert [line.size for line in lines] == [(49, 66), (25, 33), (13, 17), (1, 1)]
    assert lines[2].formula is not None and lines[2].formula.shape == (13, 17, 320)


def test_an_image_of_one_final_pixel_keeps_the_pooled_line_apart() -> None:
    lines = table3(replace(BASE, height=32, image_width=32))
    assert [line.real.shape for line in lines[-2:]] == [(1, 1, 320), (1, 1, 1280)]
