"""What kind of scores an ONNX file gives: read from the graph, and answered by the library as the network says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mnv2c
from mnv2c.cli.main import main
from mnv2c.compiler.scores import scores_of
from mnv2c.errors import LibraryError
from mnv2c.frames import Scores
from mnv2c.from_onnx.read import parse_onnx
from mnv2c.runtime import Frame
from tests.frames import heads

PICTURE = np.random.default_rng(5).integers(0, 256, (12, 12, 3), dtype=np.uint8)


def outputs(content: bytes, picture: Any = None) -> Any:
    """What onnxruntime makes of the picture, in [-1, 1], or of an input."""
    given = (PICTURE.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None] if picture is None else picture
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]).run(None, {"input": given})[0][0]


@settings(max_examples=150)
@given(st.sampled_from(sorted(heads.HEADS)), st.integers(0, 10_000), st.integers(2, 12))
def test_the_kind_of_scores_is_read_from_the_graph(name: str, seed: int, classes: int) -> None:
    content = heads.make(name, seed, classes)
    model, _ = parse_onnx(content, Path())
    found = scores_of(model.graph, model.graph.output[0].name, 17)
    assert found is heads.HEADS[name][1]
    values = outputs(content).astype(np.float64)
    if found is Scores.PROBABILITIES:
        assert values.sum() == pytest.approx(1, abs=1e-5) and (values >= 0).all()
    if found is Scores.LOG_PROBABILITIES:
        assert np.exp(values).sum() == pytest.approx(1, abs=1e-5)
    if found is Scores.INDEPENDENT:
        assert (values >= 0).all() and (values <= 1).all()


@pytest.mark.parametrize("opset", [11, 13])
def test_softmax_of_groups_is_of_none_of_them_all(opset: int) -> None:
    head = heads.Head(1, 12, opset)
    groups = head.node("Reshape", head.logits(), head.value([3, 4], "int64"))
    # Up to opset 12 axis 0 means all from there on, since 13 it means that one.
    axis = 1 if opset >= 13 else 0
    content = head.model(head.node("Reshape", head.node("Softmax", groups, axis=axis), head.value([1, 12], "int64")))
    model, _ = parse_onnx(content, Path())
    found = scores_of(model.graph, model.graph.output[0].name, opset)
    assert found is (Scores.INDEPENDENT if opset >= 13 else Scores.PROBABILITIES)
    assert outputs(content).sum() == pytest.approx(3 if opset >= 13 else 1, abs=1e-5)


def expected(name: str, values: Any) -> Any:
    """The scores as a person would read them off the outputs of onnxruntime."""
    if heads.HEADS[name][1] is Scores.LOGITS:
        powers = np.exp(values - values.max())
        return powers / powers.sum()
    return np.exp(values) if heads.HEADS[name][1] is Scores.LOG_PROBABILITIES else values


def compiled(content: bytes, folder: Path, labels: list[str] | None = None) -> mnv2c.Library:
    folder = folder / ("named" if labels else "plain")
    folder.mkdir()
    model, names = folder / "net.onnx", folder / "names.txt"
    model.write_bytes(content)
    names.write_text("\n".join(labels or []))
    mnv2c.compile(model, output=folder / "d", labels=names if labels else None, preprocessing={"fit": "stretch"})
    return mnv2c.load(folder / "d")


@pytest.mark.parametrize(("name", "seed"), [("softmax", 3), ("log of softmax", 1), ("sigmoid", 0), ("percent", 2)])
def test_answers_of_frames_are_the_networks_own_scores(name: str, seed: int, tmp_path: Path) -> None:
    content = heads.make(name, seed, 10)
    library = compiled(content, tmp_path)
    wanted = expected(name, outputs(content).astype(np.float64))
    found = library.run_frame(Frame.of(PICTURE), top=10)
    assert [each.class_id for each in found] == list(np.argsort(-wanted, kind="stable"))
    np.testing.assert_allclose([each.score for each in found], np.sort(wanted)[::-1], rtol=1e-4, atol=1e-6)
    described = json.loads((tmp_path / "plain" / "d" / "net.json").read_text())
    assert described["frames"]["scores"] == heads.HEADS[name][1]


def test_a_single_score_is_itself(tmp_path: Path) -> None:
    head = heads.Head(4, 1)
    content = head.model(head.disguised(head.node("Sigmoid", head.logits())))
    (found,) = compiled(content, tmp_path).run_frame(Frame.of(PICTURE))
    assert found.score == pytest.approx(float(outputs(content)[0]), rel=1e-4) and found.score < 0.999


def test_embeddings_are_no_classes_but_where_labels_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = heads.make("no classes", 0, 10)
    library = compiled(content, tmp_path)
    assert library.description.metadata["frames"]["answer"] is None
    assert "net_top" not in (tmp_path / "plain" / "d" / "net.h").read_text()
    with pytest.raises(LibraryError, match="its outputs unknown"):
        library.run_frame(Frame.of(PICTURE))
    (tmp_path / "few.txt").write_text("one\ntwo\n")
    model = tmp_path / "plain" / "net.onnx"
    command = ["compile", str(model), "-o", str(tmp_path / "e"), "--labels", str(tmp_path / "few.txt")]
    assert main(command) == 2
    assert "has 2 lines, but output" in capsys.readouterr().err
    named = compiled(content, tmp_path, [f"thing {index}" for index in range(10)])
    wanted = outputs(content)
    found = named.run_frame(Frame.of(PICTURE), top=3)
    best = np.argsort(-wanted, kind="stable")[:3]
    assert [each.label for each in found] == [f"thing {index}" for index in best]
    np.testing.assert_allclose([each.score for each in found], wanted[best], rtol=1e-4)


def test_one_number_is_a_logit_only_with_a_label(tmp_path: Path) -> None:
    head = heads.Head(6, 1)
    content = head.model(head.logits())
    assert compiled(content, tmp_path).description.metadata["frames"]["answer"] is None
    (found,) = compiled(content, tmp_path, ["there"]).run_frame(Frame.of(PICTURE))
    assert found.score == pytest.approx(1 / (1 + np.exp(-float(outputs(content)[0]))), rel=1e-4)
