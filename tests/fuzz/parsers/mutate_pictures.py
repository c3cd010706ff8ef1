"""Damage to pictures: bytes and numbers of the headers of every format; PNG chunks get their checksums again."""

from __future__ import annotations

import struct
import zlib
from random import Random

from tests.fuzz.parsers.nasty import NUMBERS, damage_bytes

PNG = b"\x89PNG\r\n\x1a\n"
HEADER = 160
"""Bytes at the beginning in which most formats keep sizes, depths and offsets."""
SIZES = (0, 1, 2, 3, 8, 100, 255, 256, 10_000, 32_767, 65_500, 65_535, 99_999_999, 2**31 - 1, 2**31, 2**32 - 1)


def mutate_picture(content: bytes, random: Random) -> bytes:
    """Damage a picture."""
    kind = random.randrange(10)
    if kind == 0:
        return damage_bytes(content, random)
    if content.startswith(PNG) and kind < 7:
        return _png(content, random)
    changed = bytearray(content or b"\0")
    for _ in range(random.choice((1, 1, 2, 3))):
        at = random.randrange(min(len(changed), HEADER if random.random() < 0.8 else len(changed)))
        if random.random() < 0.5:
            changed[at] = random.choice((0, 1, 255, changed[at] ^ 1 << random.randrange(8), random.randrange(256)))
            continue
        number, size = random.choice((*SIZES, *NUMBERS)), random.choice((2, 2, 4, 4, 8))
        changed[at : at + size] = (number % 256**size).to_bytes(size, random.choice(("little", "big")))
    return bytes(changed)


def _chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], len(PNG)
    while at + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, at)
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _png(content: bytes, random: Random) -> bytes:
    chunks = _chunks(content)
    if not chunks:
        return damage_bytes(content, random)
    at = 0 if random.random() < 0.4 else random.randrange(len(chunks))
    name, body = chunks[at]
    kind = random.randrange(8)
    if kind < 2 and name == b"IHDR" and len(body) >= 8:
        width, height = random.choice(SIZES), random.choice(SIZES)
        body = random.choice((struct.pack(">II", width, height), body[:4] + struct.pack(">I", height))) + body[8:]
    elif kind == 2:
        name = random.choice(
            (b"IDAT", b"PLTE", b"tRNS", b"eXIf", b"iCCP", b"zTXt", b"iTXt", b"acTL", b"IEND", b"\0\0\0\0")
        )
    elif kind == 3:
        chunks.insert(random.randrange(len(chunks) + 1), random.choice(chunks))
    elif kind == 4 and name == b"IDAT":
        body = zlib.compress(bytes(random.choice((0, 100, 10**6))), 9)
    elif kind == 5 and len(chunks) > 1:
        del chunks[at]
        return _written(chunks)
    else:
        body = damage_bytes(body, random)
    if at < len(chunks):
        chunks[at] = name, body
    return _written(chunks)


def _written(chunks: list[tuple[bytes, bytes]]) -> bytes:
    parts = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    ]
    return PNG + b"".join(parts)
