"""A plan for people: the drawing with characters, and the page with the frontier."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from mnv2c.plan.work import FallbackWork
from mnv2c.report.axes import Axis
from mnv2c.report.plan import draw, page
from mnv2c.report.plan.terminal import COLUMNS, ROWS
from tests.report.plans import JOINED, NAMES, plan_figures
from tests.report.test_profile_page import Strict, drawn, parsed


def area(figures: dict[str, Any]) -> list[str]:
    """The drawing's lines, without axis and labels."""
    lines = draw(figures).splitlines()
    assert lines[0] == "time"
    return [line.split("|", 1)[1].ljust(COLUMNS) for line in lines[1 : ROWS + 1]]


def test_the_drawing_is_a_line_of_steps_down_to_the_right() -> None:
    text = draw(plan_figures())
    assert re.findall(r"^ *(\d\.\d+) \|", text, re.MULTILINE) == ["1.500", "1.100", "1.000"]
    places = [
        (row.index(mark), number) for number, row in enumerate(area(plan_figures())) for mark in "o#" if mark in row
    ]
    assert len(places) == 3
    assert places == sorted(places)
    assert places[0][1] == 0 and places[-1][1] == ROWS - 1
    assert text.count("#") == 1 and "#" in area(plan_figures())[places[1][1]]
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii()


def test_every_column_from_the_first_plan_on_has_one_height() -> None:
    lines = area(plan_figures())
    first = lines[0].index("o")
    for column in range(COLUMNS):
        marks = [line[column] for line in lines if line[column] in "-o#"]
        assert len(marks) == (0 if column < first else 1)


def test_sizes_below_the_drawing_are_those_of_their_columns() -> None:
    scale = draw(plan_figures()).splitlines()[-1]
    assert re.findall(r"[\d.]+ kB", scale) == ["90.0 kB", "120.5 kB", "151.0 kB", "181.5 kB"]


@pytest.mark.parametrize("count", [1, 2, 60])
def test_short_and_long_frontiers(count: int) -> None:
    figures = plan_figures()
    figures["frontier"] = [
        {"arena_bytes": 64_000 + 64 * n, "cycles": 9, "time_ratio": 1 + (count - 1 - n) / 50, "chains": ["head"]}
        for n in range(count)
    ]
    figures |= {"arena_bytes": 64_000, "arena_limit": None, "bounds": []}
    assert draw(figures).count("#") == 1
    root = parsed(page(figures))
    assert len(drawn(root, "circle", "dot")) == count - 1
    assert len(drawn(root, "circle", "whole")) == 1


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere() -> None:
    text = page(plan_figures())
    root = parsed(text)
    assert [item.tag for item in root] == ["head", "body"]
    assert len(list(root.iter("svg"))) == 1
    strict = Strict()
    strict.feed(text)
    strict.close()
    assert strict.open == []
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|<img|<iframe|\b(src|href|on\w+)=", text)


def test_points_lie_where_the_axes_say() -> None:
    root = parsed(page(plan_figures()))
    titles = [item.findtext("title") for item in root.iter("circle")]
    assert titles == [
        "100,000 bytes, time 1.500, 3 kernel calls",
        "120,000 bytes, time 1.100, 4 kernel calls: the plan above",
        "200,000 bytes, time 1.000, 6 kernel calls",
    ]
    x, y = ([float(item.get(key, "nan")) for item in root.iter("circle")] for key in ("cx", "cy"))
    assert (x[2] - x[1]) / (x[1] - x[0]) == pytest.approx(4, rel=0.01)
    assert (y[2] - y[1]) / (y[1] - y[0]) == pytest.approx(1 / 4, rel=0.01)
    names = {item.text for item in drawn(root, "text", "name")}
    assert names == {"100.0 kB", "120.0 kB", "200.0 kB"}


def test_the_limit_and_near_bounds_are_drawn_and_far_ones_said() -> None:
    text = page(plan_figures())
    words = [item.text for item in drawn(parsed(text), "text", "bound-name")]
    assert words == [
        "equations (1) and (2) of the paper, every bottleneck one operation, 250.0 kB",
        "the limit, 125.0 kB",
    ]
    assert "Equations (1) and (2) of the paper, every layer one operation: 900,000 bytes, at block_2.expand." in text
    far = plan_figures() | {"arena_limit": 10**9, "bounds": []}
    assert drawn(parsed(page(far)), "text", "bound-name") == []


def rows(text: str) -> list[list[str]]:
    return [["".join(cell.itertext()).strip("\xa0") for cell in row] for row in parsed(text).iter("tr")]


def test_the_tables_hold_every_chain_and_every_plan() -> None:
    cells = rows(page(plan_figures()))
    frontier, chains = cells[1:4], cells[5:]
    assert [row[:4] for row in frontier] == [
        ["100,000", "1.500", "3", ""],
        ["120,000", "1.100", "4", "this plan"],
        ["200,000", "1.000", "6", ""],
    ]
    assert [row[0] for row in chains] == list(NAMES)
    assert chains[0][1:4] == ["stem_bottleneck_01, bottleneck_02, 03", "1", "2x sums (8), nothing (8)"]
    assert chains[1][1:7] == ["", "-", "", "-", "-", "-"]
    assert [row[2] for row in chains] == ["1", "-", "2", "all"]


def test_hostile_names_are_escaped() -> None:
    figures = plan_figures()
    for item in [*figures["chains"], figures]:
        item["name"] = '</svg><script>alert("1")</script>\x00\x1b\ufffe\u202e\x9b'
    text = page(figures)
    assert "<script" not in text
    assert not set(text) & set("\u202e\x9b\x1b")
    assert not list(parsed(text).iter("script"))
    ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def test_ticks_begin_in_the_range() -> None:
    assert Axis(212_000.0, 360_000.0, 0.0, 1.0).ticks(10) == [20_000.0 * n for n in range(11, 19)]
    assert Axis(0.995, 1.26, 0.0, 1.0).ticks(5) == pytest.approx([1.0, 1.1, 1.2])


def test_the_made_up_plan_has_the_keys_of_a_real_one() -> None:
    from mnv2c.compiler.planned import Plan, PlannedChain, Point, Window

    window = Window("depthwise", "ring", 8)  # type: ignore[arg-type]
    chain = PlannedChain("n", JOINED, (), 1, (window,), False, 1, 1.0, 1.0, 1, 1)
    real = Plan(
        "n", "s", "t", 1, None, 1, 1.0, (chain,), (Point(1, 1.0, 1.0, ("n",)),), (), FallbackWork(0.0, 0.0, {})
    ).as_dict()
    figures = plan_figures()
    assert real.keys() == figures.keys()
    assert real["chains"][0].keys() == figures["chains"][0].keys()
    assert real["frontier"][0].keys() == figures["frontier"][0].keys()
    assert real["chains"][0]["windows"][0].keys() == figures["chains"][0]["windows"][0].keys()
