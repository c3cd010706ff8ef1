"""The digests of one compiled folder."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from tools.digests.objects import Function, digest, members


@dataclass(frozen=True)
class Digests:
    """What a compile made: the kernels in the order of their first calls, and the rest of the library.

    ``plan`` are the arena, its buffers and the kernels' calls by number; ``source`` and ``header`` are the generated C,
    in which names count.
    """

    weights: str
    plan: str
    source: str
    header: str
    labels: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)


def read(folder: Path, kernels: Mapping[str, Function]) -> Digests:
    """Return the digests of a folder that `mnv2c compile` left for one target; ``kernels`` are its own, by symbol."""
    (archive,) = folder.glob("lib*.a")
    name = archive.stem.removeprefix("lib")
    objects = members(archive.read_bytes())
    source = (folder / f"{name}.c").read_text(encoding="utf-8")
    calls = _calls(source, kernels)
    order = list(dict.fromkeys(symbol for symbol, _ in calls))
    described = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return Digests(
        weights=digest(_blob(objects[f"{name}_weights.o"])),
        plan=digest(_plan(described, [(order.index(symbol), arguments) for symbol, arguments in calls])),
        source=digest(source.encode()),
        header=digest((folder / f"{name}.h").read_bytes()),
        labels=[symbol.removeprefix(f"{name}_") for symbol in order],
        code=[kernels[symbol].code for symbol in order],
        constants=[kernels[symbol].constants for symbol in order],
    )


def _calls(source: str, kernels: Mapping[str, Function]) -> list[tuple[str, str]]:
    """The calls of kernels in the generated C, in order: symbol and arguments."""
    found = re.findall(r"^\s+return (\w+)\((.*)\);$", source, re.MULTILINE)
    return [(symbol, arguments) for symbol, arguments in found if symbol in kernels]


def _plan(described: dict[str, Any], calls: list[tuple[int, str]]) -> bytes:
    """The arena with its buffers, whatever they are called, and the calls."""
    buffers = [{key: entry[key] for key in ("offset", "bytes", "first", "last")} for entry in described["buffers"]]
    counts = {key: described[key] for key in ("arena_bytes", "arena_alignment", "weights_bytes", "threads")}
    return json.dumps([counts, buffers, calls], sort_keys=True).encode()


def _blob(content: bytes) -> bytes:
    """The bytes of an object that holds nothing but data."""
    sections = ELFFile(io.BytesIO(content)).iter_sections()
    return b"".join(section.data() for section in sections if section.name.startswith((".rodata", ".data")))
