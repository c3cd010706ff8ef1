"""Make a finding small: whatever can be left out of the file is, as long as the same thing happens.

python -m tests.fuzz.parsers.minimise PARSER FILE     # writes FILE.min
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.fuzz.parsers.known import PARSERS
from tests.fuzz.parsers.parser import judge

ROUNDS = 4


def minimise(content: bytes, happens: Callable[[bytes], bool], candidates: Callable[[bytes], Iterator[bytes]]) -> bytes:
    """Take every smaller candidate with which it happens still, until a round changes nothing."""
    for _ in range(ROUNDS):
        before = content
        tried = set[bytes]()
        while (
            better := next((each for each in candidates(content) if _new(each, tried) and happens(each)), None)
        ) is not None:
            content = better
        if content == before:
            break
    return content


def _new(content: bytes, tried: set[bytes]) -> bool:
    fresh = content not in tried
    tried.add(content)
    return fresh


def without_bytes(content: bytes) -> Iterator[bytes]:
    """The content without a half, a quarter, ... of it."""
    size = len(content) // 2
    while size:
        for at in range(0, len(content), size):
            yield content[:at] + content[at + size :]
        size //= 2


def without_parts(content: bytes) -> Iterator[bytes]:
    """An ONNX file without a node, a constant, an attribute or a function; last, with shorter names of nothing."""
    import onnx

    try:
        onnx.load_model_from_string(content)
    except Exception:  # no protobuf: protobuf's own kinds of errors, and the first that is not is of no interest here
        yield from without_bytes(content)
        return
    for pick in (
        lambda model: model.functions,
        lambda model: model.graph.node,
        lambda model: model.graph.initializer,
        lambda model: model.graph.value_info,
        lambda model: model.graph.output,
        lambda model: model.metadata_props,
    ):
        count = len(pick(onnx.load_model_from_string(content)))
        size = count
        while size:
            for at in range(0, count, size):
                yield _without(content, pick, at, at + size)
            size //= 2
    model = onnx.load_model_from_string(content)
    for at, node in enumerate(model.graph.node):
        for place in range(len(node.attribute)):
            yield _without(content, lambda model, at=at: model.graph.node[at].attribute, place, place + 1)


def _without(content: bytes, pick: Callable[[Any], Any], begin: int, end: int) -> bytes:
    import onnx

    model = onnx.load_model_from_string(content)
    del pick(model)[begin:end]
    return bytes(model.SerializeToString())


def main(words: list[str]) -> int:
    """Minimise a file."""
    parser, path = PARSERS[words[0]], Path(words[1])
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / parser.file

        def signature(content: bytes) -> str:
            place.write_bytes(content)
            return judge(parser, place).signature

        content = path.read_bytes()
        wanted = signature(content)
        candidates = without_parts if place.suffix == ".onnx" else without_bytes
        small = minimise(content, lambda each: signature(each) == wanted, candidates)
    path.with_name(path.name + ".min").write_bytes(small)
    print(f"{wanted}: {len(content):,} bytes became {len(small):,}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
