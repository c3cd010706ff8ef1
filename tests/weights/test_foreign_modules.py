"""Random state dicts of the real modules, imported by name, give the modules' own logits; tensors are as listed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from mnv2c.spec import describe
from mnv2c.to_onnx import emit, serialize
from mnv2c.verification.tolerance import FLOAT32
from mnv2c.weights import Checkpoint, given_or_random
from tests.weights.foreign import (
    hf_module,
    hf_segmenter_module,
    logits,
    package,
    randomised,
    timm_module,
    torchvision_module,
)

MODULES: dict[str, tuple[str, str, Callable[[], Any]]] = {  # our model, the source, the module
    "torchvision": ("mobilenet_v2", "torchvision", torchvision_module),
    "torchvision, 10 classes": ("mobilenet_v2", "torchvision", lambda: torchvision_module(num_classes=10)),
    "torchvision, width 0.5": ("mobilenetv2_050", "torchvision", lambda: torchvision_module(width_mult=0.5)),
    "torchvision by name": ("mobilenet_v2_torchvision", "torchvision", torchvision_module),
    **{
        f"timm {variant}": (f"mobilenetv2_{variant}", "timm", lambda name=f"mobilenetv2_{variant}": timm_module(name))
        for variant in ("050", "100", "110d", "120d", "140")
    },
    "hf": ("mobilenet_v2", "hf", hf_module),
    "hf, width 0.35": ("mobilenet_v2_035_96", "hf", lambda: hf_module(depth_multiplier=0.35)),
    "hf, width 1.4": ("mobilenet_v2_140", "hf", lambda: hf_module(depth_multiplier=1.4)),
    "hf by name": ("mobilenet_v2_slim", "hf", hf_module),
}


def saved(module: Any, path: Path) -> Path:
    """Write the state dict in the format of the suffix."""
    if path.suffix == ".safetensors":
        package("safetensors.torch").save_file(module.state_dict(), path)
    else:
        package("torch").save(module.state_dict(), path)
    return path


def error_against(module: Any, checkpoint: Checkpoint, resolution: tuple[int, int]) -> float:
    """Largest difference of the logits from the module's, in units of the largest logit."""
    images = np.random.default_rng(0).uniform(-1, 1, (1, *resolution, 3)).astype(np.float32)
    model = serialize(emit(checkpoint.spec, checkpoint.tensors))
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (found,) = session.run(["logits"], {"input": images})
    wanted = logits(module, images)
    assert found.shape == wanted.shape
    assert np.ptp(wanted) > 0.1
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("case", MODULES)
def test_imported_weights_give_the_module_s_logits(case: str, tmp_path: Path, record_property: Any) -> None:
    name, source, make = MODULES[case]
    module = randomised(make(), seed=1)
    for suffix, resolution in ((".safetensors", (96, 96)), (".pth", (97, 66))):
        path = saved(module, tmp_path / f"weights{suffix}")
        checkpoint = given_or_random(describe(name, resolution=resolution), path, 0)
        assert checkpoint.source.name == source
        error = error_against(module, checkpoint, resolution)
        record_property(f"error{suffix}", error)
        assert error <= FLOAT32


@pytest.mark.parametrize("case", ["torchvision", "timm 100", "timm 110d", "hf"])
def test_the_listed_tensors_are_the_module_s(case: str) -> None:
    _, _, make = MODULES[case]
    listed = (Path(__file__).parents[1] / "golden/weights/test_sources" / f"{case.replace(' ', '_')}.txt").read_text()
    found = [f"{key} {list(tensor.shape)}" for key, tensor in make().state_dict().items() if "num_batches" not in key]
    assert sorted(listed.splitlines()) == sorted(found)


@pytest.mark.parametrize("case", ["torchvision", "timm 120d", "hf"])
def test_conventions_are_the_module_s(case: str) -> None:
    from mnv2c.weights import SOURCES

    _, source, make = MODULES[case]
    module, conventions = make(), SOURCES[source].conventions
    torch = package("torch")
    assert {part.eps for part in module.modules() if isinstance(part, torch.nn.BatchNorm2d)} == {
        conventions["bn_epsilon"]
    }
    spatial = [part for part in module.modules() if isinstance(part, torch.nn.Conv2d) and part.kernel_size == (3, 3)]
    assert {part.padding for part in spatial} == {(1, 1) if conventions["padding"] == "symmetric" else (0, 0)}


def test_preprocessing_is_the_package_s() -> None:
    from mnv2c.weights import SOURCES

    weights = package("torchvision.models").MobileNet_V2_Weights
    for ours, theirs in (("torchvision", weights.IMAGENET1K_V2), ("torchvision_v1", weights.IMAGENET1K_V1)):
        wanted, found = theirs.transforms(), SOURCES[ours].preprocessing
        assert (list(found["mean"]), list(found["deviation"])) == (wanted.mean, wanted.std)
        assert found["crop"] == wanted.crop_size[0] / wanted.resize_size[0]
        assert found["interpolation"] == wanted.interpolation.value
    cfg, found = timm_module("mobilenetv2_100").default_cfg, SOURCES["timm"].preprocessing
    assert (found["mean"], found["deviation"], found["crop"]) == (cfg["mean"], cfg["std"], cfg["crop_pct"])
    assert found["interpolation"] == cfg["interpolation"]


HF_ERROR = 1e-5  # of the largest logit


@pytest.mark.parametrize(
    ("name", "options"),
    [("deeplabv3_mobilenet_v2_hf", {}), ("deeplabv3_mobilenet_v2", {"output_stride": 16})],
    ids=["stride 8", "stride 16"],
)
def test_segmenter_of_hugging_face(name: str, options: dict[str, int], tmp_path: Path, record_property: Any) -> None:
    module = randomised(hf_segmenter_module(**options), 1, size=64)
    path = saved(module, tmp_path / "weights.safetensors")
    checkpoint = given_or_random(describe(name, resolution="97x131"), path, 0)
    assert checkpoint.source.name == "hf_segmenter"
    images = np.random.default_rng(0).uniform(-1, 1, (1, 97, 131, 3)).astype(np.float32)
    model = serialize(emit(replace(checkpoint.spec, output="logits"), checkpoint.tensors))
    (found,) = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"input": images})
    wanted = logits(module.double(), images).transpose(0, 2, 3, 1)
    assert found.shape == wanted.shape
    assert np.ptp(wanted) > 0.1
    error = np.abs(found - wanted).max() / np.abs(wanted).max()
    record_property("error", float(error))
    assert error <= HF_ERROR


def test_detector_with_the_names_of_qfgaohao(tmp_path: Path) -> None:
    package("torch")
    from tests.weights.ssd import Mb2SsdLite

    module = randomised(Mb2SsdLite(), 2, size=64)
    path = saved(module, tmp_path / "weights.pth")
    checkpoint = given_or_random(describe("ssdlite_mobilenet_v2", resolution=96), path, 0)
    assert (checkpoint.source.name, checkpoint.spec.classes) == ("qfgaohao", 21)
    images = np.random.default_rng(0).uniform(-1, 1, (1, 96, 96, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(serialize(emit(checkpoint.spec, checkpoint.tensors)))
    torch = package("torch")
    with torch.inference_mode():
        outputs = module(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous())
    for found, wanted in zip(session.run(["boxes", "scores"], {"input": images}), outputs, strict=True):
        assert found.shape == tuple(wanted.shape)
        assert np.abs(found - wanted.numpy()).max() <= FLOAT32 * np.abs(wanted.numpy()).max()
    listed = (Path(__file__).parents[1] / "golden/weights/test_sources/qfgaohao.txt").read_text().splitlines()
    own = [f"{key} {list(tensor.shape)}" for key, tensor in module.state_dict().items() if "num_batches" not in key]
    biases = [line for line in own if ".0.bias" in line]
    assert sorted(listed) == sorted(set(own) - set(biases)) and len(biases) == 10


def test_listed_tensors_of_hugging_face_s_segmenter() -> None:
    listed = (Path(__file__).parents[1] / "golden/weights/test_sources/hf_segmenter.txt").read_text().splitlines()
    state = hf_segmenter_module().state_dict()
    own = [f"{key} {list(tensor.shape)}" for key, tensor in state.items() if "num_batches" not in key]
    assert sorted(listed) == sorted(line for line in own if not line.startswith("mobilenet_v2.conv_1x1."))
