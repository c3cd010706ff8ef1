"""Compiled networks of the three families: one call from frame to answer, the examples, and `mnv2c run`."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mnv2c
from mnv2c.cli.main import main
from mnv2c.compiler import Compiled
from mnv2c.errors import LibraryError, UserError
from mnv2c.runtime import ClassScore, Detection, Frame
from tests.frames import reference
from tests.sharing import once

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "examples" / "picture.png"
GCC = shutil.which("gcc")


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    def make(folder: Path) -> Compiled:
        labels = folder.with_suffix(".labels")
        labels.write_text("".join(f"thing {index}\n" for index in range(1, 7)))
        return mnv2c.compile(
            "ssdlite_mobilenet_v2", output=folder, width=0.35, resolution="64x96", classes=7, labels=labels
        )

    return once(tmp_path_factory, "detector", make)


@pytest.fixture(scope="session")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    def make(folder: Path) -> Compiled:
        return mnv2c.compile("deeplabv3_mobilenet_v2", output=folder, width=0.35, resolution="33x49", classes=5)

    return once(tmp_path_factory, "segmenter", make)


@pytest.fixture(scope="session")
def logits(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    def make(folder: Path) -> Compiled:
        model = folder.with_suffix(".toml")
        model.write_text(
            'name="deep"\nfamily="segmenter"\nwidth=0.35\nresolution="33x49"\nclasses=5\noutput="logits"\n'
        )
        return mnv2c.compile(model, output=folder)

    return once(tmp_path_factory, "logits", make)


def frame(rotation: int = 0) -> Frame:
    return reference.random_frame(3, "NV12", 61, 47, rotation=rotation, padding=3)


def test_one_call_gives_what_its_steps_give_for_classes(compiled: Compiled) -> None:
    library = mnv2c.load(compiled.directory)
    found = library.run_frame(frame(90), top=7)
    scores = library(library.frames.load(frame(90)))
    assert found == library.frames.answer((scores,), frame(90), top=7)
    assert len(found) == 7 and isinstance(found[0], ClassScore)
    assert [each.class_id for each in found] == list(np.argsort(-scores.reshape(-1), kind="stable")[:7])


def test_one_call_gives_what_its_steps_give_for_boxes(detector: Compiled) -> None:
    library = mnv2c.load(detector.directory)
    found = library.run_frame(frame(270), score=0.2)
    assert found == library.frames.answer(library(library.frames.load(frame(270))), frame(270), score=0.2)
    assert found and all(isinstance(each, Detection) and each.score > 0.2 for each in found)
    assert {each.label for each in found} <= {f"thing {index}" for index in range(1, 7)}
    assert detector.metadata["labels"][:2] == ["background", "thing 1"]
    assert all(0 <= each.box[0] <= each.box[2] <= 61 and 0 <= each.box[1] <= each.box[3] <= 47 for each in found)


def test_one_call_gives_what_its_steps_give_for_a_mask(segmenter: Compiled, logits: Compiled) -> None:
    library, raw = mnv2c.load(segmenter.directory), mnv2c.load(logits.directory)
    found = library.run_frame(frame(180))
    assert found.shape == (47, 61) and found.dtype == np.uint8
    np.testing.assert_array_equal(found, library.frames.mask(library(library.frames.load(frame(180))), frame(180)))
    with pytest.raises(LibraryError, match=r"has no deep_.*_run_frame"):
        raw.run_frame(frame())


def test_the_input_is_the_one_that_numpy_makes(compiled: Compiled, detector: Compiled, segmenter: Compiled) -> None:
    from mnv2c.frames import Picture

    fits = {"crop": compiled, "stretch": detector, "letterbox": segmenter}
    for fit, folder in fits.items():
        library = mnv2c.load(folder.directory)
        _, height, width, _ = library.description.inputs[0].shape
        picture = Picture(height, width, fit=fit, share=0.875)  # type: ignore[arg-type]
        wanted = reference.network_input(picture, frame(90))
        np.testing.assert_allclose(library.frames.load(frame(90)), wanted, atol=1e-5)


def test_frames_that_are_refused(compiled: Compiled) -> None:
    library = mnv2c.load(compiled.directory)
    pixels = np.zeros((8, 9, 3), np.uint8)
    for bad, message in (
        (np.zeros((0, 9, 3), np.uint8), "no pixels"),
        (Frame.of(pixels, rotation=45), "rotation"),
        (Frame((pixels,), 10, 8), "needs 8 rows of 30 bytes"),
        (Frame((pixels,), 9, 8, "XYZ"), "format 'XYZ'"),
        (Frame((pixels[:, ::2],), 4, 8), "contiguous"),
        (Frame((pixels,), 3, 2, "NV12"), "2 plane"),
        (Frame((pixels,), 9, -8), "none may be negative"),
    ):
        with pytest.raises(LibraryError, match=message):
            library.run_frame(bad)
    with pytest.raises(LibraryError, match="its answers are classes; leave score out"):
        library.run_frame(pixels, score=0.5)
    for wrong in (pixels.astype(np.float32), pixels[..., 0], pixels[..., :2]):
        with pytest.raises(LibraryError, match="must be a uint8 array"):
            library.run_frame(wrong)


def test_run_draws_boxes_and_masks(
    detector: Compiled, segmenter: Compiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for which, key in ((detector, "detections"), (segmenter, "mask")):
        words = [
            "run",
            str(which.directory),
            str(PICTURE),
            "--json",
            "--score",
            "0.2",
            "-o",
            str(tmp_path / f"{key}.png"),
        ]
        assert main(words) == 0
        (answer,) = json.loads(capsys.readouterr().out)
        assert answer[key] and "best" not in answer
        with Image.open(tmp_path / f"{key}.png") as drawn, Image.open(PICTURE) as plain:
            assert drawn.size == plain.size
            assert (np.asarray(drawn.convert("RGB")) != np.asarray(plain.convert("RGB"))).any()
        assert main(["run", str(which.directory), str(PICTURE), "--score", "0.2"]) == 0
        assert "picture.png" in capsys.readouterr().out


def test_averaged_segmenters(logits: Compiled, segmenter: Compiled) -> None:
    """The same network alone is the network that gives masks; with its mirror image it answers symmetrically."""
    (alone,) = mnv2c.run(logits.directory, [PICTURE])
    (mask,) = mnv2c.run(segmenter.directory, [PICTURE])
    assert alone.mask and mask.mask
    assert {area.class_id: area.share for area in alone.mask} == pytest.approx(
        {area.class_id: area.share for area in mask.mask}, abs=2e-3
    )
    (both,) = mnv2c.run(logits.directory, [PICTURE], also=[logits.directory], flip=True)
    assert both.mask and sum(area.share for area in both.mask) == pytest.approx(1)
    with pytest.raises(UserError, match='output = "logits"'):
        mnv2c.run(segmenter.directory, [PICTURE], flip=True)


@pytest.mark.skipif(GCC is None, reason="no C compiler: examples/camera.c was NOT built")
def test_the_camera_in_c(compiled: Compiled, detector: Compiled, segmenter: Compiled, tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 52, 3), dtype=np.uint8)
    ppm = b"P6\n# a comment\n52 40\n255\n" + pixels.tobytes()
    printed = {}
    for kind, which in (("CLASSES", compiled), ("BOXES", detector), ("MASK", segmenter)):
        name, folder = which.name, which.directory
        flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{folder}", f"-DNAME={name}", f"-D{kind}"]
        flags += [f'-DNAME_H="{name}.h"', str(ROOT / "examples" / "camera.c"), str(folder / f"lib{name}.a")]
        program = tmp_path / kind.lower()
        subprocess.run([str(GCC), *flags, "-o", str(program)], check=True)
        done = subprocess.run([program, "90"], input=ppm * 2, capture_output=True, check=True)
        printed[kind] = done.stdout
        assert subprocess.run([program], input=b"P6 7", capture_output=True, check=False).returncode == 1
        assert subprocess.run([program, "45"], input=ppm, capture_output=True, check=False).returncode == 1
    seen = Frame.of(pixels, rotation=90)
    best = mnv2c.load(compiled.directory).run_frame(seen)
    lines = printed["CLASSES"].decode().splitlines()
    assert lines[0].split()[-1] == str(best[0].class_id) and len(lines) == 10
    things = mnv2c.load(detector.directory).run_frame(seen, score=0.5, overlap=0.5)[:20]
    lines = [line.split() for line in printed["BOXES"].decode().splitlines() if line.startswith("0 ")]
    assert [int(line[-5]) for line in lines] == [each.class_id for each in things]
    np.testing.assert_allclose([[float(x) for x in line[-4:]] for line in lines], [e.box for e in things], atol=0.06)
    mask = mnv2c.load(segmenter.directory).run_frame(seen)
    assert printed["MASK"] == (b"P5\n52 40\n255\n" + mask.tobytes()) * 2


def built(which: Compiled, folder: Path) -> Path:
    """``main.c`` of a compiled folder as a program."""
    program, archive = folder / which.name, which.directory / f"lib{which.name}.a"
    flags = ["-Wall", "-Wextra", "-Werror", f"-I{which.directory}", str(which.directory / "main.c"), str(archive)]
    subprocess.run([str(GCC), *flags, "-o", str(program)], check=True)
    return program


@pytest.mark.skipif(GCC is None, reason="no C compiler: main.c was NOT built")
def test_the_example_prints_boxes_and_shares(detector: Compiled, segmenter: Compiled, tmp_path: Path) -> None:
    pixels = np.random.default_rng(5).integers(0, 256, (40, 52, 3), dtype=np.uint8)
    (tmp_path / "picture.ppm").write_bytes(b"P6\n52 40\n255\n" + pixels.tobytes())
    (tmp_path / "short.ppm").write_bytes(b"P6\n52 40\n255\n" + pixels.tobytes()[:-1])
    (tmp_path / "huge.ppm").write_bytes(b"P6\n0 99999\n255\n")
    printed = {}
    for which in (detector, segmenter):
        program = built(which, tmp_path)
        done = subprocess.run([program, tmp_path / "picture.ppm"], capture_output=True, text=True, check=True)
        *printed[which.name], last = done.stdout.splitlines()
        assert last.endswith(f"arena {which.metadata['arena_bytes']} bytes")
        assert len(subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()) > 1
        for name in ("absent.ppm", "short.ppm", "huge.ppm"):
            done = subprocess.run([program, name], cwd=tmp_path, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (1, f"{name}: no PPM picture (P6)\n")
    things = mnv2c.load(detector.directory).run_frame(pixels)[:10]
    lines = [re.split("  |,| to ", line.strip().replace("from ", "")) for line in printed[detector.name]]
    assert [(int(line[0]), line[1]) for line in lines] == [(each.class_id, each.label) for each in things]
    np.testing.assert_allclose([float(line[2]) for line in lines], [each.score for each in things], atol=1e-4)
    boxes = [[float(value) for value in line[3:]] for line in lines]
    np.testing.assert_allclose(boxes, [each.box for each in things], atol=0.06)
    mask = mnv2c.load(segmenter.directory).run_frame(pixels)
    shares = {int(line.split()[0]): float(line.split()[-1]) for line in printed[segmenter.name]}
    assert shares == {int(each): pytest.approx((mask == each).mean(), abs=1e-4) for each in np.unique(mask)}


def test_the_camera_in_python(detector: Compiled, segmenter: Compiled) -> None:
    for which in (detector, segmenter):
        command = [sys.executable, str(ROOT / "examples" / "camera.py"), str(which.directory), str(PICTURE)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "picture.png" in done.stdout and len(done.stdout.splitlines()) > 1


def test_labels_and_preprocessing_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "many.txt").write_text("a\n" * 11)
    cases = [
        ({"labels": tmp_path / "absent.txt"}, "absent.txt"),
        ({"labels": tmp_path / "many.txt"}, "11 lines, but the network has 10 classes"),
        ({"preprocessing": {"mean": "0.5,0.5"}}, "three numbers"),
        ({"preprocessing": {"deviation": (0, 1, 1)}}, "three numbers"),
        ({"preprocessing": {"mean": "nan"}}, "three numbers"),
        ({"preprocessing": {"fit": "zoom"}}, "stretch, letterbox, crop"),
        ({"preprocessing": {"channels": "gbr"}}, "rgb or bgr"),
        ({"preprocessing": {"scale": 1}}, "scale: not known"),
    ]
    for options, message in cases:
        with pytest.raises(UserError, match=message):
            mnv2c.compile("mobilenet_v2", output=tmp_path / "out", width=0.35, resolution=32, classes=10, **options)  # type: ignore[arg-type]
        assert not (tmp_path / "out").exists()


@pytest.mark.emulated
def test_a_library_for_another_cpu_answers_through_the_same_c(compiled_for_arm: Compiled) -> None:
    (answer,) = mnv2c.run(compiled_for_arm.directory, [PICTURE])
    assert answer.emulated and answer.best and len(answer.best) == 5
