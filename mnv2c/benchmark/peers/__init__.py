"""The contestants: one module each, with ``load(job) -> Prepared`` and, to convert models, ``convert(job)``."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from mnv2c.benchmark.job import Job, UnavailableError
from mnv2c.benchmark.peers.base import Prepared
from mnv2c.errors import UserError, nearest


@dataclass(frozen=True)
class Peer:
    """A peer: the modules that run a model and those that convert one, and how to install them.

    ``apart``: it lives in the second environment. ``emulated``: ``make arm-peers`` prepares it for ARM, too.
    """

    modules: tuple[str, ...]
    install: str
    converters: tuple[str, ...] = ()
    apart: bool = False
    emulated: bool = False


PEERS = {
    "onnxruntime": Peer(("onnxruntime",), "pip install onnxruntime", emulated=True),
    "litert": Peer(("ai_edge_litert",), "make peers", ("litert_torch", "torch"), apart=True, emulated=True),
    "ncnn": Peer(("ncnn",), "pip install ncnn pnnx", ("pnnx",), emulated=True),
    "mnn": Peer(("MNN",), "pip install MNN", ("_tools",), emulated=True),
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
        _need(PEERS[name].modules, PEERS[name].install)  # before the conversion, which may take long
        convert(name, job)
    return load(name, job)


def convert(name: str, job: Job) -> None:
    """Write the peer's own form of the model, where it has one, beside ``job.model``; UnavailableError."""
    if PEERS[name].converters:
        _need(PEERS[name].converters, PEERS[name].install)
        _module(name).convert(job)


def load(name: str, job: Job) -> Prepared:
    """Load what ``convert`` left, in this process or another; UnavailableError where the peer is not installed."""
    if name not in OWN:
        _need(PEERS[name].modules, PEERS[name].install)
    prepared: Prepared = _module(name).load(job)
    return prepared


def _need(modules: tuple[str, ...], install: str) -> None:
    absent = [module for module in modules if find_spec(module) is None]
    if absent:
        raise UnavailableError(f"not installed: {', '.join(absent)}; {install}")


def _module(name: str) -> ModuleType:
    return import_module(f"mnv2c.benchmark.peers.{name}")
