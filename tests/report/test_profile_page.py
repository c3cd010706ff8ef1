"""The page of a profile: everything is drawn and named, nothing is fetched, and it stays well-formed."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnv2c.report.axes import Axis, LogarithmicAxis
from mnv2c.report.labels import Point, place
from mnv2c.report.profile import page
from mnv2c.report.profile.memory import description
from mnv2c.report.svg import Box, byte_size, fitted, text_width
from mnv2c.report.words import joined
from tests.report.figures import NAMES, profile_figures

VOID = {"meta"}
SVG_ALONE = {"line", "rect", "circle", "path"}


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))


def drawn(root: ElementTree.Element, tag: str, kind: str) -> list[ElementTree.Element]:
    """The elements of that tag with that class."""
    return [item for item in root.iter(tag) if kind in item.get("class", "").split()]


def boxes(items: list[ElementTree.Element]) -> list[Box]:
    return [Box(*(float(item.get(key, "nan")) for key in ("x", "y", "width", "height"))) for item in items]


class Strict(HTMLParser):
    """Fails where a tag is not closed, as a browser would see it."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID or "svg" in self.open, f"<{tag}/> is not closed in HTML"

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_as_agreed(golden: Callable[[str, str], None]) -> None:
    golden("page.html", page(profile_figures()))


def test_the_page_is_well_formed_for_xml_and_html() -> None:
    text = page(profile_figures())
    root = parsed(text)
    assert [item.tag for item in root] == ["head", "body"]
    assert len(list(root.iter("svg"))) == 3
    strict = Strict()
    strict.feed(text)
    strict.close()
    assert strict.open == []


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page(profile_figures())
    assert not re.search(r"https?:|//[a-z]|url\(|@import|<script|<link|<img|<iframe|\b(src|href|on\w+)=", text)
    assert "prefers-color-scheme: dark" in text


def test_every_variable_of_the_style_has_a_light_and_a_dark_value() -> None:
    style = page(profile_figures()).split("<style>")[1].split("</style>")[0]
    light, dark = (set(re.findall(r"(--[\w-]+):", part)) for part in style.split("@media", 1))
    assert light == dark
    assert set(re.findall(r"var\((--[\w-]+)\)", style)) == light


def test_every_buffer_is_drawn_where_it_lies() -> None:
    figures = profile_figures()
    root = parsed(page(figures))
    rectangles = drawn(root, "rect", "tensor") + drawn(root, "rect", "scratch")
    titles = {item.findtext("title") for item in rectangles}
    buffers = figures["arena"]["buffers"]
    assert titles == {description(buffer, list(NAMES)) for buffer in buffers}
    assert len(drawn(root, "rect", "tensor")) == sum(bool(buffer["tensors"]) for buffer in buffers)
    tops = {item.findtext("title"): box for item, box in zip(rectangles, boxes(rectangles), strict=True)}
    for one, other in combinations(buffers, 2):
        below, above = sorted((one, other), key=lambda buffer: buffer["offset"])
        if below["offset"] + below["bytes"] <= above["offset"]:
            assert tops[description(above, list(NAMES))].y < tops[description(below, list(NAMES))].y


def test_every_buffer_has_its_name() -> None:
    root = parsed(page(profile_figures()))
    names = [item.text for item in drawn(root, "text", "buffer") if "quiet" not in item.get("class", "")]
    assert sorted(filter(None, names)) == sorted(
        ["stem_bottleneck_01", "load", "depthwise", "bottleneck_02 +1", "expand", "expand", "fallback_add<&>", "head"]
    )


def test_every_step_with_multiply_adds_is_a_labelled_point() -> None:
    root = parsed(page(profile_figures()))
    assert len(drawn(root, "circle", "dot")) == 5
    labels = {item.text for item in drawn(root, "text", "name")}
    assert labels == {"stem_bottleneck_01", "bottleneck_02, 03", "head", "dense", "whole run"}
    roofs = [item.text for item in drawn(root, "text", "roof-name")]
    assert roofs == ["peak of fused multiply-adds: 50.0 GMAC/s", "L2: 60.0 GB/s", "memory: 10.0 GB/s"]


def test_points_lie_where_the_axes_say() -> None:
    """A roof ends on the peak; the tick 1 of the bytes' axis lies on the roof's height there."""
    root = parsed(page(profile_figures()))
    (peak,) = (item for item in drawn(root, "line", "roof") if "peak" in item.get("class", ""))
    slanted = [item for item in drawn(root, "line", "roof") if item is not peak]
    assert len(slanted) == 2
    assert {item.get("y2") for item in slanted} == {peak.get("y1")} == {peak.get("y2")}
    titles = [item.findtext("title") or "" for item in drawn(root, "circle", "dot")]
    assert titles[0] == "stem_bottleneck_01: 40.0 GMAC/s, 80.0% of the peak, 19.83 MAdds per byte, 0.4000 ms"


def test_bars_are_as_long_as_the_times() -> None:
    figures = profile_figures()
    root = parsed(page(figures))
    lengths = [box.width for box in boxes(drawn(root, "rect", "time"))]
    assert len(lengths) == len(NAMES)
    for length, step in zip(lengths, figures["steps"], strict=True):
        assert length / lengths[0] == pytest.approx(step["median_ms"] / 0.4, rel=0.01)
    needed = [box.width for box in boxes(drawn(root, "rect", "needed"))]
    assert needed[0] / lengths[0] == pytest.approx(0.8, rel=0.01)
    assert len(needed) == 5
    words = [item.text or "" for item in drawn(root, "text", "label")]
    assert "fallback, 4.0% of run" in words


def test_near_bounds_are_to_scale_and_far_ones_are_said_not_to_be() -> None:
    root = parsed(page(profile_figures()))
    words = [item.text or "" for item in drawn(root, "text", "bound-name")]
    assert words == [
        "equation (1) of the paper, every bottleneck one operation, 500.0 kB, not to scale",
        "equation (2) of the paper, every bottleneck one operation, 300.0 kB",
    ]
    assert "Equations (1) and (2) of the paper, every layer one operation: 900,000 bytes" in page(profile_figures())


def test_hostile_names_are_escaped() -> None:
    figures = profile_figures()
    for item in [*figures["steps"], *figures["arena"]["buffers"], figures]:
        item["name"] = '</svg><script>alert("1")</script>\x00\x1b\ufffe'
    figures["arena"]["alive_at"] = "<b>"
    text = page(figures)
    root = parsed(text)
    assert "<script" not in text
    assert not list(root.iter("script")) and not list(root.iter("b"))


def changed(**changes: Any) -> dict[str, Any]:
    return profile_figures() | changes


def test_a_library_without_multiply_adds_or_arena() -> None:
    figures = changed(madds=0, steps=[profile_figures()["steps"][3]])
    figures["arena"] |= {"bytes": 0, "alive_bytes": 0, "buffers": [], "bounds": []}
    text = page(figures)
    parsed(text)
    assert "No step of this library counts multiply-adds." in text
    assert "This library needs no arena" in text


def test_times_of_zero_are_drawn() -> None:
    figures = profile_figures()
    for step in figures["steps"]:
        step |= {"median_ms": 0.0, "alone_ms": 0.0, "gmacs": None, "peak_share": 0.0, "moved_gbytes_per_s": None}
        step["time_share"] = None
    parsed(page(figures | {"bandwidths": figures["bandwidths"][1:], "peak_share": 0.0}))


@pytest.mark.parametrize("count", [1, 70])
def test_short_and_long_networks(count: int) -> None:
    figures = profile_figures()
    figures["steps"] = [
        figures["steps"][0] | {"name": f"step_{n}", "step": n, "gmacs": 30.0 + n % 7 * 2, "madds_per_byte": 2.0 + n / 3}
        for n in range(count)
    ]
    figures["arena"]["buffers"] = [
        {"name": f"step_{n}", "offset": 4 * n, "bytes": 64, "first": n, "last": n, "tensors": [f"step_{n}"]}
        for n in range(count)
    ]
    root = parsed(page(figures))
    assert len(drawn(root, "circle", "dot")) == len(drawn(root, "rect", "tensor")) == count


points = st.builds(
    Point,
    x=st.floats(20, 480).map(round),
    y=st.floats(20, 280).map(round),
    radius=st.sampled_from([4.0, 9.0]),
    label=st.sampled_from(["a", "head", "bottleneck_02"]),
)


@given(st.lists(points, max_size=12, unique_by=lambda point: (point.x // 20, point.y // 20)))
@settings(max_examples=60)
def test_labels_cover_nothing(found: list[Point]) -> None:
    area, taken = Box(0, 0, 500, 300), [Box(0, 140, 500, 4)]
    labels = place(found, area, taken, 11.0)
    assert len({label.point for label in labels}) == len(labels)
    for label in labels:
        assert label.box.within(area)
        assert not any(label.box.meets(other) for other in [*taken, *(point.box for point in found)])
    for one, other in combinations(labels, 2):
        assert not one.box.meets(other.box)


def test_a_lonely_point_is_labelled_beside_it() -> None:
    (label,) = place([Point(50, 50, 4, "head")], Box(0, 0, 200, 100), [], 10.0)
    assert not label.leader
    assert (label.box.x, label.box.y + label.box.height / 2) == (58.0, 50.0)


def test_no_label_without_room() -> None:
    assert place([Point(5, 5, 4, "bottleneck_02")], Box(0, 0, 20, 20), [], 10.0) == []


def test_names_share_what_they_have_in_common() -> None:
    assert joined(["bottleneck_08"]) == "bottleneck_08"
    assert joined(["bottleneck_15", "bottleneck_16", "head", "dense", "dense_02"]) == (
        "bottleneck_15, 16, head, dense, dense_02"
    )
    assert joined(["7", "8"]) == "7, 8"


def test_axes() -> None:
    axis = Axis(0.0, 1_255_552.0, 600.0, 0.0)
    assert (axis(0.0), axis(1_255_552.0)) == (600.0, 0.0)
    assert axis.ticks(10) == [200_000.0 * n for n in range(7)]
    logarithmic = LogarithmicAxis(0.2, 40.0, 0.0, 100.0)
    assert logarithmic(40.0) == pytest.approx(100.0)
    assert logarithmic(8**0.5) == pytest.approx(50.0)
    assert logarithmic.ticks() == pytest.approx([0.2, 0.5, 1, 2, 5, 10, 20])


def test_texts_fit_their_room() -> None:
    assert fitted("depthwise", 54, 10) == "depthwise"
    assert fitted("depthwise", 53, 10) == "depthwi…"
    assert fitted("depthwise", 15, 10) == ""
    assert text_width("head", 10) == pytest.approx(24)
    assert [byte_size(count) for count in (999, 1000, 999_949, 1_255_552)] == ["999 B", "1.0 kB", "999.9 kB", "1.26 MB"]
