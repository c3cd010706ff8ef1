"""Random state dicts of the real modules, imported by name, give the modules' own logits; tensors are as listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from mnv2c.spec import describe
from mnv2c.to_onnx import emit, serialize
from mnv2c.tolerance import FLOAT32
from mnv2c.weights import Checkpoint, given_or_random
from tests.weights.foreign import hf_module, logits, package, randomised, timm_module, torchvision_module

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
