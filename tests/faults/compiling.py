"""Small networks to compile in processes of their own, which may be killed, and what a whole folder is."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).resolve().parents[2]
NAME = "net"


def network(path: Path, seed: int, channels: int = 8) -> Path:
    """Write a convolution with weights from ``seed`` as an ONNX file."""
    weights = np.random.default_rng(seed).standard_normal((channels, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["y"])],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, channels, 16, 16])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def environment(temporary: Path | None = None, **more: str) -> dict[str, str]:
    """This process's, with the checkout to import and ``temporary`` as TMPDIR."""
    own = {"PYTHONPATH": str(ROOT), **({"TMPDIR": str(temporary)} if temporary else {})}
    return {**os.environ, **own, **more}


def listening() -> None:
    """In a new process: take the signals that a shell has what runs in the background ignore."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def start(
    model: Path, output: Path, *words: str, cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    """Begin to compile."""
    command = [sys.executable, "-m", "mnv2c", "compile", str(model), "-o", str(output), "--name", NAME, "-q", *words]
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=env or environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listening,
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end; return the exit code and what was said about errors."""
    _, errors = process.communicate(timeout=300)
    return process.returncode, errors


def version(folder: Path) -> str:
    """Return which version a folder holds, after a check that all of its files are of that version."""
    document = json.loads((folder / f"{NAME}.spdx.json").read_text("utf-8"))
    listed = {entry["fileName"].removeprefix("./"): entry["checksums"] for entry in document["files"]}
    assert len(listed) >= 10
    for name, checksums in listed.items():
        content = (folder / name).read_bytes()
        found = {entry["algorithm"]: entry["checksumValue"] for entry in checksums}
        assert found["SHA256"] == hashlib.sha256(content).hexdigest(), f"{name} is of another version"
    names = {path.name for path in folder.iterdir() if path.name.startswith((NAME, f"lib{NAME}"))}
    assert names - {f"{NAME}.spdx.json", f"lib{NAME}.so"} <= listed.keys()
    assert (folder / f"lib{NAME}.so").resolve().is_file()
    return hashlib.sha256((folder / f"{NAME}.onnx").read_bytes()).hexdigest()
