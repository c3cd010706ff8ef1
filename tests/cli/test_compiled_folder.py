"""run, verify and describe on a library whose kernels are plain C."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from mnv2c import api
from mnv2c.cli.main import main
from mnv2c.errors import LibraryError, UserError, VerificationError
from mnv2c.runtime import execution
from mnv2c.verification.tolerance import FLOAT32
from tests.cli import toy

PICTURE = str(Path(__file__).resolve().parents[2] / "examples" / "picture.png")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy.compile_toy(tmp_path_factory.mktemp("toy"))


def test_describe(folder: Path) -> None:
    summary = api.describe(folder)
    assert (summary["name"], summary["target"], summary["chains"], summary["fallbacks"]) == ("toy", "host", 2, [])
    assert set(summary["files"]) == {"libtoy.so.2", "libtoy.a"}
    assert all(size > 0 for size in summary["files"].values())
    json.dumps(summary)


def test_verify_compares_every_step_and_the_outputs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = api.verify(folder, seed=7)
    assert [(item.step, item.tensor) for item in report.comparisons] == [
        ("negate", "middle"),
        ("mean", "logits"),
        ("whole run", "logits"),
    ]
    assert report.passed
    assert report.where == "this CPU"
    assert report.max_rel_error <= FLOAT32
    assert main(["verify", str(folder), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["passed"] is True
    assert figures["max_rel_error"] <= FLOAT32
    assert main(["verify", str(folder)]) == 0
    assert "largest" in capsys.readouterr().out


@pytest.mark.parametrize(("factor", "error"), [("1.5", pytest.approx(0.5)), ("0.0f / 0.0f", None)])
def test_verify_names_the_first_wrong_step(
    factor: str, error: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoilt = toy.compile_toy(tmp_path, factor=factor)
    with pytest.raises(VerificationError, match=r"step negate differs from the reference in middle: .*3 of 3 tensors"):
        api.verify(spoilt)
    assert main(["verify", str(spoilt), "--json"]) == 1
    captured = capsys.readouterr()
    figures = json.loads(captured.out)
    assert figures["passed"] is False
    assert figures["steps"][0]["rel_error"] == error
    assert captured.err.count("\n") == 1


@pytest.mark.emulated
def test_verify_and_run_under_the_emulator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = toy.compile_toy(tmp_path, "cortex-a53")
    report = api.verify(folder)
    assert report.passed
    assert len(report.comparisons) == 3
    assert main(["run", str(folder), PICTURE]) == 0
    assert "class 2" in capsys.readouterr().out


def test_a_library_for_another_libc_runs_as_a_program(tmp_path: Path) -> None:
    folder = toy.compile_toy(tmp_path, libc="musl")
    assert api.verify(folder).passed
    assert execution.executor(folder)[1].emulated is False


def test_run_agrees_with_onnxruntime(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mnv2c.pictures.image import load_image

    image = load_image(PICTURE, toy.HEIGHT, toy.WIDTH)
    session = onnxruntime.InferenceSession(toy.reference().SerializeToString(), providers=["CPUExecutionProvider"])
    (scores,) = session.run(["logits"], {"input": image})
    powers = np.exp(scores[0].astype(np.float64))
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    words = ["run", str(folder), PICTURE, "--top", "2", "--labels", str(tmp_path / "labels.txt"), "--json"]
    assert main([*words, "-o", str(tmp_path / "seen.png")]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert [entry["class_id"] for entry in answer["best"]] == list(np.argsort(-scores[0])[:2])
    assert answer["best"][0]["label"] == "blue"
    assert answer["best"][0]["score"] == pytest.approx(powers.max() / powers.sum(), rel=1e-5)
    assert "mean nothing" in answer["note"]
    with Image.open(tmp_path / "seen.png") as picture:
        assert picture.height > toy.HEIGHT
    assert main(["run", str(folder), PICTURE, PICTURE]) == 0
    assert capsys.readouterr().out.count("picture.png") == 2


def test_mistakes_of_run(folder: Path, tmp_path: Path) -> None:
    cases = [
        ({"images": ["absent.png"]}, "absent.png"),
        ({"images": [PICTURE], "top": 0}, "top is 0"),
        ({"images": [PICTURE, PICTURE], "picture": tmp_path / "x.png"}, "one image"),
        ({"images": [PICTURE], "labels": tmp_path / "none.txt"}, "none.txt"),
        ({"images": [PICTURE], "picture": tmp_path / "x.unknown"}, "x.unknown"),
    ]
    for options, message in cases:
        with pytest.raises(UserError, match=message):
            api.run(folder, **options)
    assert list(tmp_path.iterdir()) == []
    for empty in (tmp_path, tmp_path / "absent"):
        with pytest.raises(LibraryError):
            api.run(empty, [PICTURE])
        assert main(["verify", str(empty)]) == 2


def test_verify_without_the_reference(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        if path.suffix != ".onnx":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(LibraryError, match=r"toy\.onnx: missing"):
        api.verify(tmp_path)


def test_one_of_several_libraries_is_named_by_its_metadata(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "other.json").write_bytes((folder / "toy.json").read_bytes())
    with pytest.raises(LibraryError, match="several"):
        api.verify(tmp_path)
    assert api.verify(tmp_path / "toy.json").passed
    assert api.describe(tmp_path / "toy.json")["name"] == "toy"


def test_bad_numbers_and_folders_are_told_in_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"\xe1\x00")
    small = ["mobilenet_v2", "--width", "0.35", "--resolution", "32"]
    out = str(tmp_path / "out")
    for words, wanted in [
        (["compile", *small, "-q", "-o", out, "--arena-limit", "-5"], "arena limit -5: give a number of bytes"),
        (["compile", *small, "-q", "-o", out, "--threads", "0"], "threads 0: give 1 to 16"),
        (["plan", *small, "-q", "--arena-limit", "-5"], "arena limit -5: give a number of bytes"),
        (["run", str(folder), "x.png", "--threads", "0"], "not 0; give at least 1"),
        (["verify", str(folder), "--threads", "2"], "compile it with --threads 2"),
        (["verify", str(folder), "--variant", "x86-64-v3"], "has kernels for one CPU only"),
        (["eval", str(folder), "--data", "shapes", "--variant", "x86-64-v3"], "has kernels for one CPU only"),
        (["profile", str(tmp_path / "model.onnx")], "give the folder that `mnv2c compile` wrote"),
        (["profile", str(tmp_path)], "holds no compiled library"),
        (["bench", str(tmp_path / "none")], "no such folder"),
    ]:
        assert main(words) == 2
        said = capsys.readouterr()
        assert wanted in said.err
        assert said.err.count("\n") == 1
        assert said.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
