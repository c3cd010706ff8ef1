"""Descriptions as TOML: round trip, and one clear line for every mistake."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnv2c.errors import SpecError
from mnv2c.spec import ModelSpec, from_toml, parse_resolution, to_toml
from mnv2c.spec.model import CHECKS
from mnv2c.spec.table2 import Row

specs = st.builds(
    ModelSpec,
    name=st.from_regex(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", fullmatch=True),
    width=st.floats(0, 8, exclude_min=True),
    height=st.integers(32, 4096),
    image_width=st.integers(32, 4096),
    classes=st.integers(1, 100_000),
    expansion=st.integers(1, 32),
    output_stride=st.sampled_from([32, 16, 8]),
    padding=st.sampled_from(["symmetric", "tf_same"]),
    bn_epsilon=st.floats(0, 0.1, exclude_min=True),
    bottleneck_activation=st.sampled_from(["linear", "relu6"]),
    shortcut=st.sampled_from(["bottleneck", "expansion", "none"]),
    stem_head=st.sampled_from(["scaled", "fixed"]),
    rows=st.lists(
        st.builds(Row, st.integers(1, 32), st.integers(1, 8192), st.integers(1, 16), st.integers(1, 2)),
        min_size=1,
        max_size=8,
    ).map(tuple),
)


detectors = st.builds(
    ModelSpec,
    family=st.just("detector"),
    classes=st.integers(1, 100_000),
    detector_head=st.sampled_from(["ssdlite", "ssd", "qfgaohao"]),
    boxes=st.sampled_from(["tf_object_detection", "torchvision", "qfgaohao"]),
)
segmenters = st.builds(
    ModelSpec,
    family=st.just("segmenter"),
    classes=st.integers(1, 256),
    output_stride=st.sampled_from([32, 16, 8]),
    aspp=st.booleans(),
    head_activation=st.sampled_from(["relu", "relu6"]),
    head_bn_epsilon=st.floats(0, 0.1, exclude_min=True),
    output=st.sampled_from(["mask", "logits"]),
    align_corners=st.booleans(),
)


@given(specs | detectors | segmenters)
def test_round_trip(spec: ModelSpec) -> None:
    assert from_toml(to_toml(spec)) == spec


def test_written_text(golden) -> None:
    golden("mobilenet_v2.toml", to_toml(ModelSpec()))


@pytest.mark.parametrize("family", ["detector", "segmenter"])
def test_written_text_of_the_other_families(golden, family: str) -> None:
    golden(f"{family}.toml", to_toml(from_toml(f'family = "{family}"')))


def test_every_field_is_checked() -> None:
    assert list(CHECKS) == list(ModelSpec.__dataclass_fields__)


def test_empty_text_is_the_default() -> None:
    assert from_toml("") == ModelSpec()


def test_whole_number_is_a_width() -> None:
    assert from_toml("width = 1") == ModelSpec(width=1.0)


@pytest.mark.parametrize(
    ("value", "size"), [("224", (224, 224)), ("96x160", (96, 160)), (" 97 x 131 ", (97, 131)), (64, (64, 64))]
)
def test_resolution(value: object, size: tuple[int, int]) -> None:
    assert parse_resolution(value) == size
    assert parse_resolution(size) == size


@pytest.mark.parametrize("value", ["", "x", "96x", "96x160x3", "-96", "9.5", 9.5, True, None, (96,), ("96", "160")])
def test_resolution_that_is_none(value: object) -> None:
    with pytest.raises(SpecError, match=r"give pixels as 224"):
        parse_resolution(value)


MISTAKES = {
    "widht = 1.0": "unknown key 'widht' (did you mean \"width\"?)",
    "output_strde = 8": '(did you mean "output_stride"?)',
    "[table]\na = 1": "unknown key 'table'",
    '"a\\nb" = 1': "unknown key 'a\\nb'",
    "width = 0": "width is 0; give a number above 0 and at most 8",
    "width = -1.0": "width is -1.0",
    "width = nan": "width is nan",
    "width = inf": "width is inf",
    "width = 1e9": "width is 1000000000.0",
    f"width = 1{'0' * 400}": "width is 1000",
    "width = '1.0'": "width is '1.0'",
    "width = true": "width is True",
    "resolution = 8": "height is 8; give a whole number from 32 to 4096",
    "resolution = '224x8'": "image_width is 8",
    "resolution = 1000000": "height is 1000000",
    "resolution = 224.0": "resolution is 224.0",
    "resolution = 224\nheight = 96": '"resolution" and "height" are both given',
    "classes = -1": "classes is -1; give a whole number from 1 to 100000",
    "classes = 0": "classes is 0",
    "classes = 10.0": "classes is 10.0",
    "classes = true": "classes is True",
    "expansion = 0": "expansion is 0",
    "expansion = 1.5": "expansion is 1.5",
    "output_stride = 4": "output_stride is 4; choose from 32, 16, 8",
    "output_stride = 8.0": "output_stride is 8.0",
    "padding = 'same'": "padding is 'same'; choose from symmetric, tf_same",
    "padding = 1": "padding is 1",
    "padding = ['tf_same']": "padding is ['tf_same']",
    "bn_epsilon = 0.0": "bn_epsilon is 0.0",
    "shortcut = 'bottlneck'": '(did you mean "bottleneck"?)',
    "bottleneck_activation = 'rellu6'": '(did you mean "relu6"?)',
    "bottleneck_activation = 'relu'": "is 'relu'; choose from linear, relu6",
    "family = 'detecter'": "family is 'detecter' (did you mean \"detector\"?); choose from classifier, detector",
    "family = 1": "family is 1",
    "family = []": "family is []",
    "aspp = true": 'aspp is for family = "segmenter", and this is a classifier; leave it out',
    "family = 'detector'\noutput = 'mask'": 'output is for family = "segmenter", and this is a detector',
    "family = 'segmenter'\nboxes = 'torchvision'": 'boxes is for family = "detector", and this is a segmenter',
    "family = 'detector'\noutput_stride = 16": "output_stride is 16; a detector has 32",
    "family = 'detector'\nboxes = 'tf'": "boxes is 'tf'; choose from tf_object_detection, torchvision, qfgaohao",
    "family = 'detector'\ndetector_head = 'ssd_lite'": '(did you mean "ssdlite"?)',
    "family = 'segmenter'\naspp = 1": "aspp is 1; give true or false",
    "family = 'segmenter'\nalign_corners = 'yes'": "align_corners is 'yes'; give true or false",
    "family = 'segmenter'\noutput = 'masks'": '(did you mean "mask"?)',
    "family = 'segmenter'\nclasses = 257": "classes is 257; a mask has at most 256: reduce them, or set output",
    "family = 'segmenter'\nhead_bn_epsilon = 0": "head_bn_epsilon is 0",
    "name = ''": "name is ''",
    "name = '../x'": "name is '../x'",
    f"name = '{'a' * 100_000}'": "name is 'aaaa",
    "rows = []": "rows must be a list of 1 to 64 lines [t, c, n, s]",
    "rows = 6": "rows must be a list",
    "rows = [[6, 24, 2]]": "rows line 1 is [6, 24, 2]; give four whole numbers",
    "rows = [[1, 16, 1, 1], [6, 24, 2, 3]]": "rows line 2: s is 3; choose from 1, 2",
    "rows = [[6, 24, 2, 1.0]]": "rows line 1: s is 1.0",
    "rows = [[0, 24, 2, 1]]": "rows line 1: t is 0",
    "rows = [[6, 0, 2, 1]]": "rows line 1: c is 0",
    "rows = [[6, 24, 0, 1]]": "rows line 1: n is 0",
    f"rows = [{'[1, 8, 64, 1],' * 3}]": "rows have more than 128 blocks",
    f"rows = [{'[1, 8, 1, 2],' * 9}]": "rows have stride 2 more than 8 times",
    "width = ": "not valid TOML",
    "width = 1\nwidth = 1": "not valid TOML",
    f"width = {'9' * 5000}": "not valid TOML",
    f"rows = {'[' * 5000}": "not valid TOML",
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda text: text[:40])
def test_mistake_is_one_line_with_the_file_s_name(text: str) -> None:
    with pytest.raises(SpecError) as error:
        from_toml(text, "my.toml")
    message = str(error.value)
    assert message.startswith("my.toml: ")
    assert MISTAKES[text] in message
    assert "\n" not in message and len(message) < 400


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        from_toml(text)
    except SpecError as error:
        assert len(str(error).splitlines()) == 1
