"""The check of a compile runs in memory, and in orders, in which faults of memory and of threads show every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import mnv2c
from mnv2c.codegen import entry
from mnv2c.errors import VerificationError
from mnv2c.kernels import zeros
from mnv2c.kernels.share import Share
from mnv2c.runtime.execution import InProcess
from mnv2c.runtime.metadata import read


def convolutions(path: Path, shape: tuple[int, ...], *layers: tuple[int, int, int], dilation: int = 1) -> Path:
    """Write an ONNX file of convolutions: (channels, kernel, groups), of which more than one group is all of them."""
    random, channels, value = np.random.default_rng(0), shape[1], "x"
    nodes, weights = [], []
    for number, (outputs, kernel, groups) in enumerate(layers):
        taps = random.standard_normal((outputs, channels // groups, kernel, kernel)).astype(np.float32)
        weights.append(numpy_helper.from_array(taps, f"w{number}"))
        how = {"group": groups, "pads": [kernel // 2 * dilation] * 4, "dilations": [dilation] * 2}
        nodes.append(helper.make_node("Conv", [value, f"w{number}"], [f"y{number}"], **how))
        channels, value = outputs, f"y{number}"
    tensor = helper.make_tensor_value_info
    ends = [tensor("x", TensorProto.FLOAT, shape)], [tensor(value, TensorProto.FLOAT, (1, channels, *shape[2:]))]
    onnx.save(
        helper.make_model(
            helper.make_graph(nodes, "g", *ends, weights), ir_version=8, opset_imports=[helper.make_opsetid("", 17)]
        ),
        path,
    )
    return path


def test_memory_that_nobody_wrote_is_not_zero(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Channels that fill a vector up are multiplied by zeros: without zeros of their own only NaN shows them."""
    path = convolutions(tmp_path / "net.onnx", (1, 33, 1, 1), (33, 1, 33), (28, 1, 1))
    mnv2c.compile(path, "x86-64-v3", output=tmp_path / "right")
    monkeypatch.setattr(zeros.Zeros, "channels", lambda *_: None)
    with pytest.raises(VerificationError, match="please report it"):
        mnv2c.compile(path, "x86-64-v3", output=tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


def test_a_part_that_needs_another_ones_results_fails_every_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = convolutions(tmp_path / "net.onnx", (1, 1, 11, 11), (10, 1, 1), (10, 5, 10), dilation=3)
    mnv2c.compile(path, "x86-64-v3", output=tmp_path / "right", threads=4)
    monkeypatch.setattr(Share, "has_vector", lambda self, _: self.is_last)
    for _ in range(3):
        with pytest.raises(VerificationError, match="please report it"):
            mnv2c.compile(path, "x86-64-v3", output=tmp_path / "wrong", threads=4)


@pytest.mark.emulated
def test_such_a_part_fails_under_an_emulator_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = convolutions(tmp_path / "net.onnx", (1, 3, 2, 40), (34, 1, 1), (34, 5, 34), dilation=3)
    mnv2c.compile(path, "cortex-a76", output=tmp_path / "right", threads=4, check="all")
    monkeypatch.setattr(Share, "has_vector", lambda self, _: self.is_last)
    with pytest.raises(VerificationError, match=r"every step alone is right.*on qemu-aarch64"):
        mnv2c.compile(path, "cortex-a76", output=tmp_path / "wrong", threads=4, check="all")


def change_run(monkeypatch: pytest.MonkeyPatch, name: str, line: str) -> None:
    """Put a line of C in front of NAME_run's own."""
    right: Callable[..., str] = entry.library_source

    def changed(*arguments: object) -> str:
        source = right(*arguments)
        place = source.index("{", source.index(f"{name}_run("))
        return f"{source[: place + 1]} {line} {source[place + 1 :]}"

    monkeypatch.setattr(entry, "library_source", changed)


def test_what_only_the_first_run_gets_right_is_wrong(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = convolutions(tmp_path / "net.onnx", (1, 8, 4, 4), (8, 1, 1))
    change_run(monkeypatch, "net", "static int runs; if (runs++) return 0;")
    with pytest.raises(VerificationError, match=r"though every step alone is right.*please report it"):
        mnv2c.compile(path, output=tmp_path / "wrong")


@pytest.mark.parametrize("place", [-4, 4 * 8 * 4 * 4])
def test_what_is_written_beside_an_output_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: int) -> None:
    path = convolutions(tmp_path / "net.onnx", (1, 8, 4, 4), (8, 1, 1))
    change_run(monkeypatch, "net", f"((char *)outputs[0])[{place}] = 0;")
    with pytest.raises(VerificationError, match="wrote beside its output y0; nothing was written"):
        mnv2c.compile(path, output=tmp_path / "wrong")


def test_guarded_memory_changes_no_number(tmp_path: Path) -> None:
    path = convolutions(tmp_path / "net.onnx", (1, 5, 7, 6), (18, 1, 1), (18, 3, 18), (9, 1, 1))
    description = read(mnv2c.compile(path, output=tmp_path / "out", threads=2).directory)
    value = np.random.default_rng(1).standard_normal((1, 5, 7, 6)).astype(np.float32)
    plain, guarded = (InProcess(description, 2, guarded).run([value])[0][0] for guarded in (False, True))
    assert plain.tobytes() == guarded.tobytes()
