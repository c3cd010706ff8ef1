"""Microkernel providers, one table entry per (dtype, instruction set)."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from mnv2c.errors import TargetError
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.microkernels.neon32 import NEON32_FLOAT32
from mnv2c.kernels.microkernels.neon64 import NEON_FLOAT32
from mnv2c.kernels.microkernels.x86 import AVX2_FLOAT32, AVX512_FLOAT32, AVX512_TWO_FLOAT32

PROVIDERS: dict[tuple[str, str], Provider] = {
    (provider.dtype, provider.name): provider
    for provider in (AVX512_FLOAT32, AVX2_FLOAT32, NEON_FLOAT32, NEON32_FLOAT32)
}

WITH_TWO_PRODUCTS: dict[Provider, Provider] = {AVX512_FLOAT32: AVX512_TWO_FLOAT32}
"""What replaces a provider where two products of whole vectors begin per cycle: it asks for other tiles."""


class CPU(Protocol):
    """What decides on the microkernels of a CPU: see ``mnv2c.targets.Target``."""

    @property
    def isa(self) -> str: ...  # noqa: D102
    @property
    def vector_fmas(self) -> int: ...  # noqa: D102
    @property
    def adds_apart(self) -> bool: ...  # noqa: D102


def provider_for(dtype: str, cpu: CPU) -> Provider:
    """Return the provider for ``dtype`` on ``cpu``; raises TargetError when there is none."""
    found = provider(dtype, cpu.isa)
    found = WITH_TWO_PRODUCTS.get(found, found) if cpu.vector_fmas > 1 else found
    return replace(found, adds_apart=True) if cpu.adds_apart else found


def provider(dtype: str, isa: str) -> Provider:
    """Return the provider for ``dtype`` on instruction set ``isa``; raises TargetError when there is none."""
    try:
        return PROVIDERS[dtype, isa]
    except KeyError:
        known = ", ".join(f"{isa} ({dtype})" for dtype, isa in PROVIDERS)
        raise TargetError(f"no kernels for {dtype} on {isa}; there are kernels for {known}") from None
