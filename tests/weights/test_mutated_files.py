"""Damaged safetensors files: 150 seeded mutations of header and data are read or refused with a WeightsError."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from mnv2c.errors import WeightsError
from mnv2c.spec import ModelSpec
from mnv2c.spec.catalogue import Description
from mnv2c.spec.table2 import Row
from mnv2c.weights import SOURCES, given_or_random, random_weights, write
from mnv2c.weights.source import names

SPEC = ModelSpec(width=0.35, height=32, image_width=32, classes=3, rows=(Row(1, 16, 1, 1), Row(6, 24, 2, 2)))
DESCRIPTION = Description(SPEC, frozenset({"width", "height", "rows"}))
MUTATIONS = 150


def header_length(data: bytearray) -> int:
    return int.from_bytes(data[:8], "little")


def flip_in_header(data: bytearray, draw: random.Random) -> None:
    for _ in range(draw.randint(1, 4)):
        data[draw.randrange(header_length(data) + 8)] ^= 1 << draw.randrange(8)


def digit_in_header(data: bytearray, draw: random.Random) -> None:
    """Change a digit: a shape, an offset or a number in a name, in JSON that is still valid."""
    digits = [i for i in range(8, header_length(data) + 8) if chr(data[i]).isdigit()]
    data[draw.choice(digits)] = ord(draw.choice("0123456789"))


def letter_in_header(data: bytearray, draw: random.Random) -> None:
    letters = [i for i in range(8, header_length(data) + 8) if chr(data[i]).isalpha()]
    data[draw.choice(letters)] = draw.choice(b"aFIU816x")


def length_of_header(data: bytearray, draw: random.Random) -> None:
    data[draw.randrange(8)] = draw.randrange(256)


def bytes_of_data(data: bytearray, draw: random.Random) -> None:
    start = header_length(data) + 8
    for _ in range(draw.randint(1, 200)):
        data[draw.randrange(start, len(data))] = draw.choice((0x7F, 0xFF, draw.randrange(256)))


def cut(data: bytearray, draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def inserted(data: bytearray, draw: random.Random) -> None:
    place = draw.randrange(header_length(data) + 100)
    data[place:place] = draw.randbytes(draw.randint(1, 9))


def swapped(data: bytearray, draw: random.Random) -> None:
    one, other = (draw.randrange(8, header_length(data)) for _ in range(2))
    data[one : one + 8], data[other : other + 8] = data[other : other + 8], data[one : one + 8]


MUTATORS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flip_in_header,
    digit_in_header,
    letter_in_header,
    length_of_header,
    bytes_of_data,
    cut,
    inserted,
    swapped,
)


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """One valid file per source."""
    path, files = tmp_path_factory.mktemp("mutated") / "w.safetensors", []
    for source in SOURCES.values():
        if SPEC.family not in source.families:
            continue
        spec = ModelSpec(**{field: getattr(SPEC, field) for field in SPEC.__dataclass_fields__} | source.conventions)
        tensors = random_weights(spec, 1)
        write(path, {theirs: tensors[ours] for ours, theirs in names(source, spec).items()})
        files.append(path.read_bytes())
        assert given_or_random(DESCRIPTION, path, 0).spec.classes == 3
    return files


def test_only_typed_errors(originals: list[bytes], tmp_path: Path) -> None:
    path, refused = tmp_path / "w.safetensors", 0
    for seed in range(MUTATIONS):
        draw = random.Random(seed)
        data = bytearray(originals[seed % len(originals)])
        MUTATORS[seed % len(MUTATORS)](data, draw)
        path.write_bytes(data)
        try:
            given_or_random(DESCRIPTION, path, 0)
        except WeightsError as error:
            refused += 1
            assert str(error).startswith(f"{path}: ") and len(str(error).splitlines()) == 1
    assert refused > MUTATIONS / 2, "the mutations do too little"
