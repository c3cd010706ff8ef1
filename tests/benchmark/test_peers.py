"""The peers on detectors and segmenters: each computes what onnxruntime computes, or says why it cannot."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from mnv2c import spec, to_onnx
from mnv2c.benchmark import agreement, network
from mnv2c.benchmark.contestant import Contestant, interpreter
from mnv2c.benchmark.job import Job, UnavailableError
from mnv2c.benchmark.peers import PEERS, ncnn, prepare
from mnv2c.weights import random_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESOLUTIONS = {"ssdlite_mobilenet_v2": 64, "deeplabv3_mobilenet_v2": 65}
MODELS = [*RESOLUTIONS]


def job(folder: Path, model: str) -> Job:
    """What ``mnv2c bench`` leaves for the peers, without a library; ``ours.npy`` is what onnxruntime computes."""
    pytest.importorskip("onnxruntime")
    resolution = RESOLUTIONS[model]
    described = spec.load(model, width=0.35, resolution=resolution, classes=5)
    reference = folder / "net.onnx"
    reference.write_bytes(to_onnx.serialize(to_onnx.emit(described, random_weights(described, 0))))
    picture = np.random.default_rng(0).uniform(-1, 1, (1, resolution, resolution, 3)).astype(np.float32)
    np.save(folder / "input_0.npy", picture)
    made = Job(folder, folder / "none.json", 1, 1, spec.to_toml(described))
    network.prepare(made, reference, picture)
    made.write()
    np.save(folder / "ours.npy", output("onnxruntime", made))
    return made


def output(name: str, made: Job) -> NDArray[Any]:
    """All outputs of a peer in this process, one behind the other."""
    prepared = prepare(name, made)
    prepared.run()
    return prepared.output()


@pytest.mark.parametrize("model", MODELS)
def test_torch_runs_the_reference_module(model: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    made = job(tmp_path, model)
    np.save(tmp_path / "torch.npy", output("torch", made))
    assert agreement.difference(tmp_path, "torch") < 1e-4


def test_ncnn_says_why_it_has_no_masks(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r'no argmax over the channels.*output = "logits"'):
        ncnn.convert(job(tmp_path, "deeplabv3_mobilenet_v2"))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", PEERS)
def test_every_peer_computes_the_same(name: str, model: str, tmp_path: Path) -> None:
    job(tmp_path, model)
    try:
        Contestant(name, tmp_path, interpreter(name)).close()
    except UnavailableError as error:
        if "not installed" in str(error) or "has no argmax" in str(error):
            pytest.skip(str(error))
        raise
    assert agreement.difference(tmp_path, name) < 1e-4
