"""Microkernel providers, one table entry per (dtype, instruction set)."""

from __future__ import annotations

from mnv2c.errors import TargetError
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.kernels.microkernels.neon32 import NEON32_FLOAT32
from mnv2c.kernels.microkernels.neon64 import NEON_FLOAT32
from mnv2c.kernels.microkernels.x86 import AVX2_FLOAT32, AVX512_FLOAT32

PROVIDERS: dict[tuple[str, str], Provider] = {
    (provider.dtype, provider.name): provider
    for provider in (AVX512_FLOAT32, AVX2_FLOAT32, NEON_FLOAT32, NEON32_FLOAT32)
}


def provider(dtype: str, isa: str) -> Provider:
    """Return the provider for ``dtype`` on instruction set ``isa``; raises TargetError when there is none."""
    try:
        return PROVIDERS[dtype, isa]
    except KeyError:
        known = ", ".join(f"{isa} ({dtype})" for dtype, isa in PROVIDERS)
        raise TargetError(f"no kernels for {dtype} on {isa}; there are kernels for {known}") from None
