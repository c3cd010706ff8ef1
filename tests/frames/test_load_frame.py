"""Frames of all formats, sizes, strides, rotations and fits against NumPy, PyTorch, Pillow and the colour standards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from mnv2c.frames import Frames, Picture
from mnv2c.runtime.frame import FITS, FORMATS, YUV, Frame
from tests.frames import reference
from tests.frames.native import native

PICTURES = {
    "usual": Picture(31, 70),
    "stretched": Picture(24, 24, fit="stretch", mean=(0.485, 0.456, 0.406), deviation=(0.229, 0.224, 0.225)),
    "planar": Picture(33, 20, planar=True, fit="letterbox", bar=114, mean=(0.1, 0.2, 0.3)),
    "blue first": Picture(20, 130, blue_first=True, share=1.0, mean=(0.1, 0.2, 0.3), deviation=(1.0, 0.5, 0.25)),
}
sides = st.integers(1, 90)


@settings(max_examples=60)
@example(0, "NV12", 1, 1, "BT601", 90, "letterbox", 3)
@example(1, "YUYV", 3, 500, "BT709", 270, "crop", 0)
@example(2, "RGB", 900, 2, "BT601", 180, "letterbox", 1)
@given(
    st.integers(0, 99), st.sampled_from(FORMATS), sides, sides, st.sampled_from(YUV),
    st.sampled_from((0, 90, 180, 270)), st.sampled_from(FITS), st.integers(0, 9),
)  # fmt: skip
@pytest.mark.parametrize("which", PICTURES)
def test_any_frame(
    which: str, seed: int, format: str, width: int, height: int, yuv: str, rotation: int, fit: str, padding: int
) -> None:
    picture = PICTURES[which]
    frame = reference.random_frame(seed, format, width, height, yuv=yuv, rotation=rotation, fit=fit, padding=padding)
    wanted = reference.network_input(picture, frame)
    found = native(Frames(picture)).load(frame)
    scale = 1 / min(picture.deviation)
    np.testing.assert_allclose(found, wanted, atol=4e-6 * scale)  # of 1 / 255 = 4e-3 per step of a pixel


def test_a_picture_of_the_network_s_size_is_only_normalised() -> None:
    picture = PICTURES["stretched"]
    pixels = np.random.default_rng(5).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    wanted = (pixels / 255 - np.array(picture.mean)) / np.array(picture.deviation)
    found = native(Frames(picture)).load(Frame.of(pixels, fit="crop"))
    np.testing.assert_allclose(found[0], wanted, atol=2e-6)


def test_resizing_is_interpolate_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is missing: resizing was NOT compared with it")
    pixels = np.random.default_rng(6).integers(0, 256, (77, 53, 3), dtype=np.uint8)
    picture = Picture(64, 96, fit="stretch", mean=(0, 0, 0), deviation=(1 / 255,) * 3)
    source = torch.from_numpy(pixels.astype(np.float64)).permute(2, 0, 1)[None]
    wanted = torch.nn.functional.interpolate(source, (64, 96), mode="bilinear", align_corners=False)
    found = native(Frames(picture)).load(Frame.of(pixels))
    np.testing.assert_allclose(found[0], wanted[0].permute(1, 2, 0).numpy(), atol=1e-3)


def test_jpeg_colours_are_those_of_pillow() -> None:
    """Pillow's YCbCr is BT.601 in full range, rounded to whole values."""
    rng = np.random.default_rng(7)
    luma, chroma = rng.integers(0, 256, (24, 24), dtype=np.uint8), rng.integers(0, 256, (12, 24), dtype=np.uint8)
    pairs = chroma.reshape(12, 12, 2).repeat(2, axis=0).repeat(2, axis=1)
    pillow = Image.fromarray(np.dstack([luma, pairs]), mode="YCbCr").convert("RGB")
    picture = Picture(24, 24, fit="stretch", mean=(0, 0, 0), deviation=(1 / 255,) * 3)
    found = native(Frames(picture)).load(Frame((luma, chroma), 24, 24, "NV12", "BT601_FULL"))
    assert np.abs(found[0] - np.asarray(pillow, np.float64)).max() <= 1.01


@pytest.mark.parametrize(("width", "height"), [(8000, 6000), (1, 10000), (10000, 1)])
def test_extreme_sizes(width: int, height: int) -> None:
    picture = PICTURES["planar"]
    for format in ("NV21", "RGB"):
        frame = reference.random_frame(1, format, width, height, rotation=90)
        found = native(Frames(picture)).load(frame)
        assert np.isfinite(found).all()
        if width * height < 100_000:
            np.testing.assert_allclose(found, reference.network_input(picture, frame), atol=1e-4)
