"""The contestants: one module each, with ``prepare(job) -> Prepared``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from mnv2c.benchmark.job import Job, UnavailableError
from mnv2c.benchmark.peers.base import Prepared
from mnv2c.errors import UserError, nearest


@dataclass(frozen=True)
class Peer:
    """A peer: the modules it imports, how to install them, and whether it lives in the second environment."""

    modules: tuple[str, ...]
    install: str
    apart: bool = False


PEERS = {
    "onnxruntime": Peer(("onnxruntime",), "pip install onnxruntime"),
    "litert": Peer(("ai_edge_litert", "litert_torch", "torch"), "make peers", apart=True),
    "ncnn": Peer(("ncnn", "pnnx"), "pip install ncnn pnnx"),
    "mnn": Peer(("MNN",), "pip install MNN"),
    "openvino": Peer(("openvino",), "pip install openvino"),
    "torch": Peer(("torch",), "pip install 'mnv2c[torch]'"),
}

OWN = ("ours", "peak")
"""The contestants of every comparison: the library, and the fused multiply-adds that the core can do."""


def chosen(names: str | list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """Return the peers of a list or of a text with commas, each once; UserError for one that is unknown."""
    words = names.split(",") if isinstance(names, str) else names
    found = tuple(dict.fromkeys(word.strip().lower() for word in words if word.strip()))
    for name in found:
        if name not in PEERS:
            raise UserError(f'--against: unknown peer "{name}"{nearest(name, PEERS)}; peers: {", ".join(PEERS)}')
    return found


def prepare(name: str, job: Job) -> Prepared:
    """Prepare a contestant in this process; UnavailableError where something it needs is not installed."""
    if name not in OWN:
        absent = [module for module in PEERS[name].modules if find_spec(module) is None]
        if absent:
            raise UnavailableError(f"not installed: {', '.join(absent)}; {PEERS[name].install}")
    module = import_module(f"mnv2c.benchmark.peers.{name}")
    prepared: Prepared = module.prepare(job)
    return prepared
