"""Picture files: every mode gives the colours it stores; nothing but named formats is decoded, all of it bounded."""

from __future__ import annotations

import io
import os
import random
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mnv2c.errors import UserError
from mnv2c.pictures.files import FORMATS, MAX_PIXELS, open_classes
from mnv2c.pictures.image import Preprocessing, crop_picture, fit_picture, open_picture

WIDTH, HEIGHT = 7, 5
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's colour types by channels: grey, grey and alpha, RGB, RGB and alpha."""


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(values: np.ndarray[Any, Any]) -> bytes:
    """A PNG file of uint8 or uint16 [height, width, channels], as stored, written by nobody's library."""
    height, width, channels = values.shape
    stored = values.astype(">u2" if values.dtype == np.uint16 else "u1")
    rows = b"".join(b"\0" + row.tobytes() for row in stored)
    header = struct.pack(">IIBBBBB", width, height, 8 * stored.itemsize, COLOUR_TYPES[channels], 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def opened(content: bytes, folder: Path, name: str = "picture") -> np.ndarray[Any, Any]:
    path = folder / name
    path.write_bytes(content)
    picture = open_picture(path)
    assert picture.mode == "RGB"
    return np.asarray(picture)


@settings(max_examples=40)
@given(st.integers(0, 9999), st.sampled_from((1, 2, 3, 4)), st.sampled_from((np.uint8, np.uint16)))
def test_png_of_any_depth_gives_its_upper_bits(
    tmp_path_factory: pytest.TempPathFactory, seed: int, channels: int, dtype: Any
) -> None:
    top = np.iinfo(dtype).max
    values = np.random.default_rng(seed).integers(0, top, (HEIGHT, WIDTH, channels), dtype, endpoint=True)
    values[0, 0], values[0, 1] = 0, top
    upper = (values >> 8).astype(np.uint8) if dtype is np.uint16 else values
    colours = upper[..., :3] if channels > 2 else np.repeat(upper[..., :1], 3, -1)
    np.testing.assert_array_equal(opened(png(values), tmp_path_factory.getbasetemp()), colours)


def test_grey_of_16_bits_in_ppm(tmp_path: Path) -> None:
    values = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 1872
    content = f"P5 {WIDTH} {HEIGHT} 65535\n".encode() + values.astype(">u2").tobytes()
    np.testing.assert_array_equal(opened(content, tmp_path)[..., 1], values >> 8)


def stored(picture: Image.Image, kind: str, **how: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **how)
    return file.getvalue()


def test_palettes_bits_and_alpha_give_the_stored_colours(tmp_path: Path) -> None:
    colours = np.array([[200, 30, 10], [0, 255, 0], [9, 9, 250], [255, 255, 255]], np.uint8)
    numbers = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 4
    palette = Image.fromarray(numbers)
    palette.putpalette(colours.tobytes())
    for how in ({}, {"transparency": 1}, {"transparency": b"\x00\x80\xff\x10"}):
        np.testing.assert_array_equal(opened(stored(palette, "PNG", **how), tmp_path), colours[numbers])
    np.testing.assert_array_equal(opened(stored(palette, "GIF"), tmp_path), colours[numbers])
    bits = Image.fromarray((numbers > 1).astype(np.uint8) * 255).convert("1")
    assert np.unique(opened(stored(bits, "PNG"), tmp_path)).tolist() == [0, 255]
    clear = Image.fromarray(np.dstack([colours[numbers], numbers * 80]).astype(np.uint8))
    for kind in ("PNG", "WEBP"):
        how = {"lossless": True, "exact": True} if kind == "WEBP" else {}
        np.testing.assert_array_equal(opened(stored(clear, kind, **how), tmp_path), colours[numbers])


def test_cmyk_and_orientation_of_jpeg(tmp_path: Path) -> None:
    red = Image.new("RGB", (64, 32), (220, 20, 30))
    red.paste((20, 20, 220), (0, 0, 32, 32))
    found = opened(stored(red.convert("CMYK"), "JPEG", quality=95), tmp_path)
    assert np.abs(found[16, [8, 56]].astype(int) - [[20, 20, 220], [220, 20, 30]]).max() < 40
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    turned = opened(stored(red, "JPEG", quality=95, exif=exif), tmp_path)
    assert turned.shape == (64, 32, 3)
    assert turned[8, 16, 2] > 180 and turned[56, 16, 0] > 180


REFUSED = ("TIFF", "DDS", "AVIF", "EPS", "TGA", "ICO", "PCX", "SGI", "JPEG2000", "ICNS", "IM", "MSP", "XBM", "PDF")


@pytest.mark.parametrize("kind", REFUSED)
def test_formats_that_are_not_named_are_not_decoded(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a picture started a program"))
    monkeypatch.setattr(subprocess, "check_call", lambda *_, **__: pytest.fail("a picture started a program"))
    mode = "1" if kind in ("MSP", "XBM") else "RGB"
    path = tmp_path / "picture.png"
    path.write_bytes(stored(Image.new(mode, (32, 32)), kind))
    with pytest.raises(UserError, match=r"not a picture that can be read \(PNG, JPEG, WebP, BMP, GIF, PPM can\)"):
        open_picture(path)


def test_what_is_no_file_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "broken").symlink_to(tmp_path / "nothing")
    (tmp_path / "round").symlink_to(tmp_path / "round")
    wanted = {"folder": "is a folder", "pipe": "no ordinary file", "empty": "is empty", "broken": "no such picture"}
    wanted |= {"round": "cannot be read", "empty/within": "cannot be read"}
    for name, words in wanted.items():
        with pytest.raises(UserError, match=words) as caught:
            open_picture(tmp_path / name)
        assert "\n" not in str(caught.value)
    for path in ("/dev/zero", "nul\0l"):
        with pytest.raises(UserError):
            open_picture(path)


def headers(width: int, height: int) -> dict[str, bytes]:
    """Files that claim a size and hold nothing."""
    png_header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    jpeg = b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 17, 8, height % 65536, width % 65536, 3) + b"\1\x11\0" * 3
    canvas = struct.pack("<I", width % (1 << 24) - 1)[:3] + struct.pack("<I", height % (1 << 24) - 1)[:3]
    webp = b"VP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas
    return {
        "png": b"\x89PNG\r\n\x1a\n" + png_header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""),
        "jpg": jpeg,
        "ppm": f"P6 {width} {height} 255\n".encode(),
        "bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0),
        "gif": b"GIF89a" + struct.pack("<HH", width % 65536, height % 65536) + b"\0\0\0;",
        "webp": b"RIFF" + struct.pack("<I", 4 + len(webp)) + b"WEBP" + webp,
    }


BOUNDED = """
import resource, sys, warnings
from mnv2c.errors import UserError
from mnv2c.pictures.image import Preprocessing, fit_picture, open_picture
import numpy, PIL.Image
PIL.Image.init()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        for fit in ("crop", "stretch", "letterbox"):
            fit_picture(open_picture(path), 224, 224, Preprocessing(fit=fit))
        print("read", path)
    except UserError as error:
        assert str(error).count(chr(10)) == 0, error
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_sizes_are_bounded_before_anything_is_decoded(tmp_path: Path) -> None:
    """Claimed sizes cost nothing, and the thinnest pictures next to nothing."""
    paths = []
    for width, height in (
        (99_999_999, 1),
        (1, 99_999_999),
        (60_000, 60_000),
        (2**31 - 1, 2**31 - 1),
        (16383, 16383),
    ):
        for kind, content in headers(width, height).items():
            paths.append(tmp_path / f"{width}x{height}.{kind}")
            paths[-1].write_bytes(content)
    for width, height in ((1, 65_000), (65_000, 1), (1, 1)):
        paths.append(tmp_path / f"{width}x{height}.png")
        Image.new("RGB", (width, height), (1, 2, 3)).save(paths[-1])
    done = subprocess.run([sys.executable, "-c", BOUNDED, *map(str, paths)], capture_output=True, text=True, check=True)
    *read, megabytes = done.stdout.split("\n")[:-1]
    assert [Path(line.split()[1]).name for line in read] == ["1x65000.png", "65000x1.png", "1x1.png"]
    assert int(megabytes) < 150
    assert done.stderr == ""


def test_too_many_pixels_are_refused_by_their_number(tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(headers(8001, 8000)["png"])
    with pytest.raises(UserError, match=f"8001x8000 pixels; at most {MAX_PIXELS:,} are read, 65,535 to a side"):
        open_picture(tmp_path / "large.png")


@given(st.integers(1, 400), st.integers(1, 400), st.sampled_from((0.7, 0.875, 1.0)), st.booleans())
@settings(max_examples=40)
def test_a_crop_is_that_of_the_whole_picture_resized(width: int, height: int, crop: float, bicubic: bool) -> None:
    values = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    picture, method = Image.fromarray(values), Image.Resampling.BICUBIC if bicubic else Image.Resampling.BILINEAR
    scale = max(48 / crop / height, 64 / crop / width)
    whole = (max(64, round(width * scale)), max(48, round(height * scale)))
    left, top = (whole[0] - 64) // 2, (whole[1] - 48) // 2
    found = np.asarray(crop_picture(picture, 48, 64, crop, "bicubic" if bicubic else "bilinear")).astype(int)
    # Pillow rounds between rows and columns, and takes first what is cheaper, which the crop may change.
    orders = (whole[0], height), (width, whole[1])
    place = slice(top, top + 48), slice(left, left + 64)
    wanted = [np.asarray(picture.resize(first, method).resize(whole, method))[place] for first in orders]
    assert min(np.abs(found - each).max() for each in wanted) <= 1


def test_a_tall_picture_is_stretched_column_by_column() -> None:
    values = np.zeros((60_000, 2, 3), np.uint8)
    values[:30_000] = 200
    found = np.asarray(fit_picture(Image.fromarray(values), 8, 400, Preprocessing(fit="stretch")))
    assert (found[:3] == 200).all() and (found[5:] == 0).all()


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, left out or doubled."""
    made = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(made))
        how = rng.randrange(4)
        if how == 0:
            made[at] = rng.choice((0, 1, 127, 128, 255, rng.randrange(256)))
        elif how == 1:
            del made[at : at + rng.randint(1, 16)]
        elif how == 2:
            made[at:at] = made[at : at + rng.randint(1, 16)]
        else:
            made[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
        made = made or bytearray(b"\0")
    return bytes(made)


def attack(count: int, folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    noise = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 11, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 8
    kept = [stored(noise, kind, **({"exif": exif} if kind in ("JPEG", "PNG", "WEBP") else {})) for kind in FORMATS]
    kept += [stored(noise.convert("P"), "PNG"), stored(Image.new("RGB", (8, 8)), "AVIF"), stored(noise, "DDS")]
    kept.append(png(np.full((3, 4, 2), 777, np.uint16)))
    for index in range(count):
        path = folder / "mutated"
        path.write_bytes(mutated(rng.choice(kept), rng))
        try:
            picture = open_picture(path) if index % 4 else open_classes(path)
            assert picture.width * picture.height <= MAX_PIXELS
        except UserError as error:
            assert "\n" not in str(error) and len(str(error)) < 600


def test_damaged_files_are_user_errors(tmp_path: Path) -> None:
    attack(600, tmp_path, 1)


@pytest.mark.slow
def test_many_damaged_files_are_user_errors(tmp_path: Path) -> None:
    attack(100_000, tmp_path, 2)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_500_000
