"""How large a file's structure is, weights apart, found in its bytes before protobuf makes objects of them.

Protobuf is a tree of fields, each a tag and a varint, a number of fixed width, or a run of bytes that may be a message
of its own. Only those messages are entered that hold weights somewhere within; what is left is structure.
"""

from __future__ import annotations

from collections.abc import Mapping

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.limits import MAXIMUM_FIELDS, MAXIMUM_STRUCTURE_BYTES

WEIGHTS = "weights"

MESSAGES: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {4: WEIGHTS, 9: WEIGHTS, 10: WEIGHTS},
}
"""Fields of ONNX's messages that hold weights (float_data, raw_data, double_data), or messages that do."""

VARINT, FIXED64, RUN, FIXED32 = 0, 1, 2, 5


def check_size(content: bytes) -> None:
    """Raise OnnxError for a file whose structure is larger than any network's, in a second at most.

    What is no protobuf passes: the parser will say so.
    """
    structure, fields = len(content), 0
    waiting = [("model", 0, len(content))]
    while waiting:
        kind, at, end = waiting.pop()
        known = MESSAGES[kind]
        while at < end:
            fields += 1
            if fields > MAXIMUM_FIELDS:
                raise OnnxError(f"it has more than {MAXIMUM_FIELDS:,} parts; no network has as many")
            tag, at = _varint(content, at, end)
            width = tag & 7
            if width == VARINT:
                _, at = _varint(content, at, end)
            elif width in (FIXED32, FIXED64):
                at += 4 if width == FIXED32 else 8
            elif width == RUN:
                length, at = _varint(content, at, end)
                within = known.get(tag >> 3)
                if within == WEIGHTS:
                    structure -= min(length, end - at)
                elif within is not None:
                    waiting.append((within, at, min(at + length, end)))
                at += length
            else:
                return
    if structure > MAXIMUM_STRUCTURE_BYTES:
        raise OnnxError(
            f"it has {structure:,} bytes besides its weights; at most {MAXIMUM_STRUCTURE_BYTES:,} are read: export it "
            "again without debugging information"
        )


def _varint(content: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the number that begins at ``at``, and where it ends; a number that is cut off ends the message."""
    value = shift = 0
    while at < end and shift < 70:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return value, end
