"""The network as the peers get it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from mnv2c import spec, to_onnx
from mnv2c.benchmark import network
from mnv2c.benchmark.job import Job, UnavailableError, read
from mnv2c.compiler import Compiled
from mnv2c.errors import LibraryError, UserError
from mnv2c.spec import to_toml
from mnv2c.verification.comparison import reference_tensors
from mnv2c.weights import random_weights
from tests.to_relax.graphs import model

SMALLEST = {"width": 0.35, "resolution": 32}


def job(folder: Path, **changes: object) -> Job:
    described = to_toml(spec.load("mobilenet_v2", **SMALLEST))
    return Job(
        **{"folder": folder, "library": folder / "net.json", "inputs": 1, "threads": 1, "spec": described} | changes
    )


def test_the_peers_compute_the_same_without_the_transposition(compiled: Compiled, tmp_path: Path) -> None:
    path = compiled.directory / f"{compiled.name}.onnx"
    picture = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    made = job(tmp_path)
    network.prepare(made, path, picture)
    assert made.picture().shape == (1, 3, 32, 32)
    changed = onnx.load(made.model)
    onnx.checker.check_model(changed, full_check=True)
    assert "Transpose" not in {node.op_type for node in changed.graph.node}
    wanted = reference_tensors(path, {"input": picture}, [])["logits"]
    found = reference_tensors(made.model, {"input": made.picture()}, [])["logits"]
    np.testing.assert_array_equal(found, wanted)


def test_the_weights_are_those_that_were_compiled(compiled: Compiled, tmp_path: Path) -> None:
    made = job(tmp_path)
    network.prepare(made, compiled.directory / f"{compiled.name}.onnx", np.zeros((1, 32, 32, 3), np.float32))
    given = random_weights(spec.load("mobilenet_v2", **SMALLEST), 1)
    assert made.weights().keys() == given.keys()
    for name, tensor in made.weights().items():
        np.testing.assert_array_equal(tensor, given[name])


def test_other_beginnings_stay(tmp_path: Path) -> None:
    for nodes in (
        [helper.make_node("Sigmoid", ["x"], ["y"])],
        [helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1, 3]), helper.make_node("Sigmoid", ["t"], ["y"])],
        [helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]), helper.make_node("Mul", ["t", "x"], ["y"])],
    ):
        graph = model(nodes, {"x": (1, 2, 2, 2)}, {"y": (1, 2, 2, 2)})
        before = graph.SerializeToString()
        assert not network.drop_transposition(graph)
        assert graph.SerializeToString() == before


def test_a_network_of_somebody_else_has_no_weights_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="made from an ONNX file"):
        job(tmp_path, spec="").weights()


def test_a_missing_reference_and_two_inputs_are_named(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"net\.onnx: missing"):
        network.prepare(job(tmp_path), tmp_path / "net.onnx", np.zeros(1, np.float32))
    described = spec.load("mobilenet_v2", **SMALLEST)
    (tmp_path / "net.onnx").write_bytes(to_onnx.serialize(to_onnx.emit(described, random_weights(described, 0))))
    with pytest.raises(UserError, match="2 inputs"):
        network.prepare(job(tmp_path, inputs=2), tmp_path / "net.onnx", np.zeros(1, np.float32))


def test_a_job_survives_its_file(tmp_path: Path) -> None:
    made = job(tmp_path, macs=7)
    made.write()
    assert read(tmp_path) == made
