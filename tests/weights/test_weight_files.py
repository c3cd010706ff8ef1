"""Weights files: round trip, and one clear line for everything that can be wrong with one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mnv2c.errors import OutputError, WeightsError
from mnv2c.spec import load
from mnv2c.weights import random_weights, read, write

SPEC = load("mobilenet_v2", width=0.35, resolution=32, classes=3)
WEIGHTS = random_weights(SPEC, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w.safetensors"


def test_round_trip(path: Path) -> None:
    write(path, WEIGHTS)
    found = read(path, SPEC)
    assert list(found) == list(WEIGHTS)
    for name, tensor in WEIGHTS.items():
        np.testing.assert_array_equal(found[name], tensor)
        assert found[name].dtype == np.float32
    assert os.listdir(path.parent) == [path.name]


def test_equal_weights_give_equal_bytes(path: Path) -> None:
    write(path, WEIGHTS)
    first = path.read_bytes()
    write(path, dict(reversed(WEIGHTS.items())))
    assert path.read_bytes() == first


def test_half_precision_is_widened(path: Path) -> None:
    half = {name: tensor.astype(np.float16) for name, tensor in WEIGHTS.items()}
    write(path, half)
    found = read(path, SPEC)
    assert found["stem.weight"].dtype == np.float32
    np.testing.assert_array_equal(found["stem.weight"], half["stem.weight"].astype(np.float32))


def change(name: str, function: Callable[[np.ndarray], np.ndarray]) -> dict[str, np.ndarray]:
    return WEIGHTS | {name: function(WEIGHTS[name].copy())}


def poisoned(value: float) -> Callable[[np.ndarray], np.ndarray]:
    def poison(tensor: np.ndarray) -> np.ndarray:
        tensor.flat[0] = value
        return tensor

    return poison


def without(*names: str) -> dict[str, np.ndarray]:
    return {name: tensor for name, tensor in WEIGHTS.items() if name not in names}


WRONG_TENSORS = {
    "missing": (without("block_2.expand.weight"), 'tensor "block_2.expand.weight" of mobilenet_v2 is missing'),
    "two missing": (
        without("stem.weight", "head.dense.bias"),
        'tensors "stem.weight", "head.dense.bias" of mobilenet_v2 are missing',
    ),
    "many missing": (
        {"stem.weight": WEIGHTS["stem.weight"]},
        'tensors "stem.bn.gamma", "stem.bn.beta", "stem.bn.mean" (and 258 more) of mobilenet_v2 are missing',
    ),
    "several faults": (
        without("stem.weight") | {"a": np.zeros(1, np.float32), "stem.bn.mean": np.zeros(2, np.float32)},
        'tensor "a" is not part of mobilenet_v2; tensor "stem.weight" of mobilenet_v2 is missing; '
        'tensor "stem.bn.mean" is 2, but mobilenet_v2 (width 0.35, 3 classes) needs 16',
    ),
    "extra": (WEIGHTS | {"more": np.zeros(1, np.float32)}, 'tensor "more" is not part of mobilenet_v2'),
    "two lines": (WEIGHTS | {"a\nb": np.zeros(1, np.float32)}, 'tensor "a\\nb" is not part'),
    "misspelt": (
        without("stem.weight") | {"stem.wieght": WEIGHTS["stem.weight"]},
        'tensor "stem.wieght" is not part of mobilenet_v2 (did you mean "stem.weight"?)',
    ),
    "foreign": ({"features.0.0.weight": np.zeros(3, np.float32)}, 'names are like "stem.weight"'),
    "empty": ({}, "no tensor of mobilenet_v2"),
    "misshapen": (
        change("head.dense.weight", lambda tensor: tensor[:2]),
        'tensor "head.dense.weight" is 2x1280, but mobilenet_v2 (width 0.35, 3 classes) needs 3x1280',
    ),
    "transposed": (change("stem.weight", lambda tensor: tensor.T), 'tensor "stem.weight" is 3x3x3x16'),
    "scalar": (change("head.dense.bias", lambda tensor: tensor.sum()), 'tensor "head.dense.bias" is a scalar'),
    "double": (change("stem.weight", lambda tensor: tensor.astype(np.float64)), 'tensor "stem.weight" is F64'),
    "integer": (change("stem.weight", lambda tensor: tensor.astype(np.int8)), 'tensor "stem.weight" is I8'),
    "nan": (change("stem.weight", poisoned(np.nan)), 'tensor "stem.weight" has 1 of 432 values that are NaN or'),
    "infinite": (change("stem.bn.mean", poisoned(np.inf)), 'tensor "stem.bn.mean" has 1 of 16 values that are NaN'),
    "negative": (change("stem.bn.variance", poisoned(-1)), 'tensor "stem.bn.variance" has a negative variance'),
}


@pytest.mark.parametrize("case", WRONG_TENSORS)
def test_wrong_tensors(path: Path, case: str) -> None:
    weights, message = WRONG_TENSORS[case]
    write(path, weights)
    with pytest.raises(WeightsError) as error:
        read(path, SPEC)
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)
    assert "\n" not in str(error.value)


def bytes_of(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


DAMAGED_FILES = {
    "empty": b"",
    "short": b"\x01\x02",
    "text": b"not weights, but a line of text\n",
    "zip": b"PK\x03\x04" + bytes(40),
    "huge header": (1 << 62).to_bytes(8, "little") + b"{}",
    "header beyond the file": (4096).to_bytes(8, "little") + b"{}",
    "broken json": (4).to_bytes(8, "little") + b"{x: ",
    "data missing": bytes_of({"stem.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}),
    "wrong offsets": bytes_of({"stem.weight": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}}, bytes(8)),
    "negative shape": bytes_of({"stem.weight": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}}, bytes(16)),
    "unknown dtype": bytes_of({"stem.weight": {"dtype": "Q3", "shape": [4], "data_offsets": [0, 4]}}, bytes(4)),
}


@pytest.mark.parametrize("case", DAMAGED_FILES)
def test_damaged_file(path: Path, case: str) -> None:
    path.write_bytes(DAMAGED_FILES[case])
    with pytest.raises(WeightsError, match=r"w\.safetensors: (not a|damaged) safetensors file") as error:
        read(path, SPEC)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kept", [5, 100, 20_000, -1])
def test_truncated_file(path: Path, kept: int) -> None:
    write(path, WEIGHTS)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(WeightsError, match=r"w\.safetensors: (not a|damaged) safetensors file"):
        read(path, SPEC)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 20_000), st.integers(0, 255))
def test_flipped_byte_is_read_or_refused(path: Path, position: int, value: int) -> None:
    write(path, WEIGHTS)
    data = bytearray(path.read_bytes())
    data[position] = value
    path.write_bytes(data)
    try:
        read(path, SPEC)
    except WeightsError as error:
        assert len(str(error).splitlines()) == 1


def test_missing_file_and_folder(path: Path) -> None:
    for wrong in (path, path.parent):
        with pytest.raises(WeightsError, match="cannot be read"):
            read(wrong, SPEC)


def test_unwritable_file(path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write(path / "below" / "w.safetensors", WEIGHTS)
    path.mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write(path, WEIGHTS)
    assert os.listdir(path.parent) == [path.name]
