"""Pictures become tensors of the right shape, range and place."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mnv2c.errors import UserError
from mnv2c.pictures.image import Preprocessing, crop_picture, load_image, to_tensor

ROOT = Path(__file__).resolve().parents[2]
side = st.integers(1, 90)


@given(side, side, st.integers(32, 70), st.integers(32, 70))
def test_any_picture_fills_any_input(width: int, height: int, rows: int, columns: int) -> None:
    tensor = to_tensor(crop_picture(Image.new("RGB", (width, height), (255, 0, 128)), rows, columns), Preprocessing())
    assert tensor.shape == (1, rows, columns, 3)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    np.testing.assert_allclose(tensor.reshape(-1, 3), np.tile([1.0, -1.0, 1 / 255], (rows * columns, 1)), atol=1e-6)


def test_mean_and_deviation_come_from_the_metadata() -> None:
    how = Preprocessing.from_metadata({"preprocessing": {"mean": [0.5, 0.25, 0.0], "std": [0.5, 0.25, 1.0]}})
    tensor = to_tensor(Image.new("RGB", (2, 2), (255, 255, 255)), how)
    np.testing.assert_allclose(tensor[0, 0, 0], [1.0, 3.0, 1.0])
    assert Preprocessing.from_metadata({}) == Preprocessing()


def test_the_crop_is_from_the_centre() -> None:
    picture = Image.new("RGB", (300, 100))
    picture.paste((255, 255, 255), (100, 0, 200, 100))
    assert np.asarray(crop_picture(picture, 100, 100, crop=1.0)).min() == 255


def test_the_interpolation_is_that_of_the_metadata(tmp_path: Path) -> None:
    picture = Image.effect_noise((90, 70), 60).convert("RGB")
    picture.save(tmp_path / "noise.png")
    found = {
        name: load_image(tmp_path / "noise.png", 32, 40, Preprocessing.from_metadata({"preprocessing": entry}))
        for name, entry in {"none": {}, **{m: {"interpolation": m} for m in ("bilinear", "bicubic")}}.items()
    }
    np.testing.assert_array_equal(found["none"], found["bilinear"])
    assert np.abs(found["bicubic"] - found["bilinear"]).max() > 0.01
    with pytest.raises(UserError, match="interpolation 'nearest' of the picture: choose from bilinear, bicubic"):
        crop_picture(picture, 32, 40, interpolation="nearest")


def test_the_example_picture_is_what_its_script_draws(tmp_path: Path) -> None:
    import runpy

    scene = runpy.run_path(str(ROOT / "examples" / "make_picture.py"))["draw_scene"]()
    with Image.open(ROOT / "examples" / "picture.png") as stored:
        assert stored.convert("RGB").tobytes() == scene.tobytes()
    assert (ROOT / "examples" / "picture.png").stat().st_size <= 60_000


def test_unreadable_pictures_are_user_errors(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    whole = (ROOT / "examples" / "picture.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "folder.png").mkdir()
    for name in ("absent.png", "text.png", "cut.png", "folder.png"):
        with pytest.raises(UserError, match=name.replace(".", r"\.")):
            load_image(tmp_path / name, 32, 32)
