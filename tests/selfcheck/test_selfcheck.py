"""``compile`` runs what it linked before it publishes it: a wrong library cannot leave it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mnv2c
from mnv2c import frames
from mnv2c.cli.main import main
from mnv2c.codegen import entry
from mnv2c.compiler import emitting
from mnv2c.errors import UserError, VerificationError
from mnv2c.frames.description import Classes, Scores
from mnv2c.runtime.belonging import own_text
from mnv2c.selfcheck import answers

SMALL: dict[str, Any] = {"width": 0.35, "resolution": 32, "seed": 1}


def checked(compiled: mnv2c.Compiled) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((compiled.directory / f"{compiled.name}.json").read_text())["checked"]
    return found


@pytest.fixture
def wrong_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights of every kernel but the first are packed 1 % too large."""
    right = emitting.pack_weights

    def pack(layout: Any, weights: Any) -> Sequence[Any]:
        scale = 1.0 if any(stage.kind == "stem" for stage in layout.chain.stages) else 1.01
        return tuple(array * np.float32(scale) for array in right(layout, weights))

    monkeypatch.setattr(emitting, "pack_weights", pack)


@pytest.mark.usefixtures("wrong_weights")
def test_a_wrong_library_is_not_written_and_the_first_wrong_step_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(VerificationError, match=r"step bottleneck_02 computes .*please report it") as caught:
        mnv2c.compile("mobilenet_v2", output=folder, join=False, **SMALL)
    assert "\n" not in str(caught.value)
    assert not folder.exists()


@pytest.mark.usefixtures("wrong_weights")
def test_the_exit_code_of_a_wrong_library_is_that_of_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compile", "mobilenet_v2", "--width", "0.35", "--resolution", "32", "-q", "-o", str(tmp_path / "out")]
    assert main(words) == 1
    assert capsys.readouterr().err.startswith("mnv2c: error: mobilenet_v2_035_32: step ")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("wrong_weights")
def test_none_lets_a_wrong_library_pass_and_says_so(tmp_path: Path) -> None:
    made = mnv2c.compile("mobilenet_v2", output=tmp_path, check="none", **SMALL)
    assert checked(made) == [{"target": "host", "skipped": "--check none"}]


def replaced_source(monkeypatch: pytest.MonkeyPatch, change: Callable[[str], str]) -> None:
    """Change the C of the entry before it is compiled."""
    right = entry.library_source
    monkeypatch.setattr(entry, "library_source", lambda *arguments: change(right(*arguments)))


def test_a_library_that_crashes_is_a_failure_of_the_compile_not_a_crash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def crash(source: str) -> str:
        place = source.index("{", source.index("mobilenet_v2_035_32_run("))
        return source[: place + 1] + " *(volatile int *)8 = 0;" + source[place + 1 :]

    replaced_source(monkeypatch, crash)
    with pytest.raises(VerificationError, match=r"crashed \(SIGSEGV\)"):
        mnv2c.compile("mobilenet_v2", output=tmp_path / "out", **SMALL)
    assert not (tmp_path / "out").exists()


def test_what_frames_become_is_checked_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    right = frames.frames_code

    def halved(known: frames.Frames, *more: Any) -> Any:
        picture = known.picture
        assert picture is not None
        wrong = frames.Picture(picture.height, picture.width, picture.planar, (0.25, 0.5, 0.5), picture.deviation)
        return right(frames.Frames(wrong, known.answer, known.labels), *more)

    monkeypatch.setattr(frames, "frames_code", halved)
    with pytest.raises(VerificationError, match="what frames become or mean is wrong: the input is off"):
        mnv2c.compile("mobilenet_v2", output=tmp_path / "out", **SMALL)


def test_what_ran_where_is_told_beside_the_library_not_in_it(tmp_path: Path) -> None:
    made = mnv2c.compile("mobilenet_v2", "x86-64-v3+x86-64-v4", output=tmp_path, **SMALL)
    assert {entry["target"] for entry in checked(made)} == {"x86-64-v3", "x86-64-v4"}
    assert all({"on", "skipped"} & entry.keys() for entry in checked(made))
    text = (tmp_path / f"{made.name}.json").read_bytes()
    own = own_text(text)
    assert "checked" not in json.loads(own)
    assert own in (tmp_path / f"lib{made.name}.a").read_bytes()
    assert text not in (tmp_path / f"lib{made.name}.a").read_bytes()


@pytest.mark.emulated
def test_kernels_of_another_cpu_run_under_qemu_or_are_left_out(tmp_path: Path) -> None:
    made = mnv2c.compile("mobilenet_v2", "cortex-a76", output=tmp_path / "all", check="all", **SMALL)
    assert "qemu-aarch64" in checked(made)[0]["on"]
    made = mnv2c.compile("mobilenet_v2", "cortex-a76", output=tmp_path / "native", check="native", **SMALL)
    assert checked(made) == [{"target": "cortex-a76", "skipped": "--check native"}]


def test_another_word_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--check 'some': choose from all, native, none"):
        mnv2c.compile("mobilenet_v2", output=tmp_path, check="some", **SMALL)


@pytest.mark.parametrize("kind", list(Scores))
def test_classes_are_computed_a_second_time(kind: Scores) -> None:
    """The right answer passes; the same numbers taken for another kind of scores do not."""
    scores = np.array([[0.1, 0.7, 0.05, 0.15]], np.float32)
    right = answers.probabilities(scores[0].astype(np.float64), kind)
    order = np.argsort(-right)
    picture, meaning = frames.Picture(8, 8), Classes(4, kind)
    answer = np.stack([order, right[order]], 1)
    assert answers.answer_error(meaning, picture, answer, {"scores": scores}) is None
    twice = answers.probabilities(right, Scores.LOGITS)
    wrong = np.stack([order, twice[order]], 1)
    assert "off by" in str(answers.answer_error(meaning, picture, wrong, {"scores": scores}))
    assert "instead of 4" in str(answers.answer_error(meaning, picture, answer[:2], {"scores": scores}))
