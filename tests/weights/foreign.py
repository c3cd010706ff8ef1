"""Other packages' MobileNetV2 modules with random weights; skips where a package is missing, and says what to install.

torchvision's wheel for CUDA imports on PyTorch for CPUs once the operators that its own library would have brought are
declared; nothing here uses them.
"""

from __future__ import annotations

from typing import Any

import pytest

WHY = "{0} is missing: pip install {0} to check the importers against the modules themselves"
OPERATOR = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def package(name: str) -> Any:
    """Import a package or skip the test."""
    torch = pytest.importorskip("torch", reason=WHY.format("'mnv2c[torch]'"))
    try:
        return pytest.importorskip(name, reason=WHY.format(name))
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    for operator in ("nms", "qnms"):
        torch.library.define(f"torchvision::{operator}", OPERATOR)
    return pytest.importorskip(name, reason=WHY.format(name))


def torchvision_module(**options: Any) -> Any:
    return package("torchvision.models").mobilenet_v2(**options)


def timm_module(name: str, **options: Any) -> Any:
    package("torchvision.models")  # timm imports it
    return package("timm").create_model(name, **options)


def hf_module(**options: Any) -> Any:
    package("torchvision.models")
    transformers = package("transformers")
    config = transformers.MobileNetV2Config(**{"num_labels": 1001, **options})
    return transformers.MobileNetV2ForImageClassification(config)


def hf_segmenter_module(**options: Any) -> Any:
    package("torchvision.models")
    transformers = package("transformers")
    config = transformers.MobileNetV2Config(**{"num_labels": 21, "output_stride": 8, **options})
    return transformers.MobileNetV2ForSemanticSegmentation(config)


def randomised(module: Any, seed: int, size: int = 96) -> Any:
    """Give batch normalisation random scales and shifts, and the statistics its inputs have; return it in eval mode."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() > 1:
                fan_in = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / fan_in**0.5)
        for part in module.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.weight.copy_(torch.rand(part.weight.shape, generator=generator) + 0.5)
                part.bias.copy_(torch.rand(part.bias.shape, generator=generator) * 2 - 0.5)
                part.momentum = 1.0
        module.train()
        module(torch.rand(4, 3, size, size, generator=generator) * 2 - 1)
    return module.eval()


def logits(module: Any, images: Any) -> Any:
    """Run the module on NHWC images, a NumPy array, in the precision of its weights."""
    import torch

    with torch.inference_mode():
        precision = next(module.parameters()).dtype
        found = module(torch.from_numpy(images).to(precision).permute(0, 3, 1, 2).contiguous())
    return getattr(found, "logits", found).numpy()
