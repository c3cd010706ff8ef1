"""MobileNetV2 with its shortcuts between the expansions (the paper's figure 6b), written and exported by torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

from tests.zoo.measure import measure
from tests.zoo.mobile import MOBILENET_V2

torch = pytest.importorskip("torch", reason="PyTorch is missing: pip install 'mnv2c[zoo]' to test what it exports")


def conv_norm(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> Any:
    return torch.nn.Sequential(
        torch.nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        torch.nn.BatchNorm2d(outputs),
    )


class BetweenExpansions(torch.nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = conv_norm(3, 32, 3, 2)
        self.expand, self.see, self.project = (torch.nn.ModuleList() for _ in range(3))
        channels = 32
        for expansion, outputs, repeats, stride in MOBILENET_V2:
            for block in range(repeats):
                hidden = expansion * channels
                self.expand.append(torch.nn.Identity() if expansion == 1 else conv_norm(channels, hidden))
                self.see.append(conv_norm(hidden, hidden, 3, stride if block == 0 else 1, hidden))
                self.project.append(conv_norm(hidden, outputs))
                channels = outputs
        self.head, self.dense = conv_norm(channels, 1280), torch.nn.Linear(1280, classes)

    def forward(self, image: Any) -> Any:
        x, before = torch.nn.functional.relu6(self.stem(image)), None
        for expand, see, project in zip(self.expand, self.see, self.project, strict=True):
            y = x if isinstance(expand, torch.nn.Identity) else torch.nn.functional.relu6(expand(x))
            if before is not None and before.shape == y.shape:
                y = y + before
            before = y
            x = project(torch.nn.functional.relu6(see(y)))
        return self.dense(torch.nn.functional.relu6(self.head(x)).mean((2, 3)))


def randomise(network: Any) -> None:
    """Give batch normalisation statistics that are not 0 and 1."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for values, (low, high) in (
                (module.weight.data, (0.5, 1.5)),
                (module.bias.data, (-0.3, 0.3)),
                (module.running_mean, (-0.3, 0.3)),
                (module.running_var, (0.5, 1.5)),
            ):
                values.uniform_(low, high)


@pytest.mark.parametrize("size", [96, pytest.param(224, marks=pytest.mark.slow)])
def test_shortcuts_between_expansions_are_right(size: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = BetweenExpansions(10).eval()
    randomise(network)
    path = tmp_path / "exported.onnx"
    torch.onnx.export(network, torch.zeros(1, 3, size, size), path, input_names=["image"], dynamo=False)
    found = measure(onnx.load(path), tmp_path)
    assert not found.fault
    assert found.steps > 5
    assert not found.fallbacks
