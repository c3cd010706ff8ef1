"""PyTorch's own files: what is read, what is refused, and what is said where PyTorch is missing."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnv2c.errors import WeightsError
from mnv2c.spec import describe
from mnv2c.weights import SOURCES, given_or_random, random_weights
from mnv2c.weights.source import names

WHY = "PyTorch is missing: pip install 'mnv2c[torch]' to test .pth files"
DESCRIPTION = describe("mobilenet_v2", width=0.35, resolution=32, classes=3)


def state_dict(torch: Any) -> dict[str, Any]:
    called, tensors = names(SOURCES["timm"], DESCRIPTION.spec), random_weights(DESCRIPTION.spec, 1)
    return {theirs: torch.from_numpy(tensors[ours]) for ours, theirs in called.items()}


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as error:
        given_or_random(DESCRIPTION, path, 0)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    return str(error.value)


def test_missing_pytorch_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    path = tmp_path / "w.pth"
    path.write_bytes(b"")
    assert "PyTorch is needed to read it: pip install 'mnv2c[torch]'" in refusal(path)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin"])
@pytest.mark.parametrize("nested", [None, "state_dict", "model"])
def test_state_dict_alone_or_in_a_training_checkpoint(tmp_path: Path, suffix: str, nested: str | None) -> None:
    torch = pytest.importorskip("torch", reason=WHY)
    path, state = tmp_path / f"w{suffix}", state_dict(torch)
    torch.save({nested: state, "epoch": 7} if nested else state, path)
    found = given_or_random(DESCRIPTION, path, 0)
    assert found.source.name == "timm"
    for name, tensor in random_weights(DESCRIPTION.spec, 1).items():
        np.testing.assert_array_equal(found.tensors[name], tensor)


def test_half_precision_is_widened_and_other_types_are_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason=WHY)
    path, state = tmp_path / "w.pth", state_dict(torch)
    torch.save({name: tensor.half() for name, tensor in state.items()}, path)
    assert given_or_random(DESCRIPTION, path, 0).tensors["stem.weight"].dtype == np.float32
    torch.save(state | {"bn1.bias": state["bn1.bias"].double()}, path)
    assert 'tensor "bn1.bias" is torch.float64; F32 and F16 can be read' in refusal(path)
    torch.save(state | {"bn1.bias": state["bn1.bias"].bfloat16()}, path)
    assert 'tensor "bn1.bias" is torch.bfloat16; F32 and F16 can be read' in refusal(path)


def test_what_is_no_state_dict(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason=WHY)
    path, state = tmp_path / "w.pth", state_dict(torch)
    for wrong in ([1, 2], {}, torch.zeros(3)):
        torch.save(wrong, path)
        assert "holds no state dict" in refusal(path)
    torch.save(state | {"epoch": 7}, path)
    assert "entry 'epoch' is not a dense tensor" in refusal(path)
    torch.save(state | {"bn1.bias": torch.zeros(16).to_sparse()}, path)
    assert "entry 'bn1.bias' is not a dense tensor" in refusal(path)
    torch.save(state | {"bn1.bias": torch.zeros(16, device="meta")}, path)
    assert "entry 'bn1.bias' is not a dense tensor" in refusal(path)
    assert "cannot be read" in refusal(tmp_path / "missing.pth")


class Attack:
    """Pickled code that would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_code_is_not_run(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason=WHY)
    torch.save({"a": Attack(tmp_path / "touched")}, tmp_path / "w.pth")
    assert "damaged, or not a plain state dict" in refusal(tmp_path / "w.pth")
    assert not (tmp_path / "touched").exists()


def test_damaged_files(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason=WHY)
    path = tmp_path / "w.pth"
    torch.save(state_dict(torch), path)
    whole = path.read_bytes()
    for seed in range(60):
        draw = random.Random(seed)
        data = bytearray(whole)
        if seed % 3 == 0:
            del data[draw.randrange(len(data)) :]
        else:  # the pickle stands at the beginning, the directory of the archive at the end
            span = 20_000 if seed % 3 == 1 else -20_000
            for _ in range(3):
                data[draw.randrange(span) if span > 0 else -draw.randrange(1, -span)] = draw.randrange(256)
        path.write_bytes(data)
        try:
            given_or_random(DESCRIPTION, path, 0)
        except WeightsError as error:
            assert len(str(error).splitlines()) == 1
