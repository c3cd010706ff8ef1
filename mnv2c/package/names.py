"""Names of libraries: every symbol, macro and file of a library begins with its name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mnv2c.errors import UserError

RESERVED = frozenset(
    """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    alignas alignof and asm bool catch class constexpr decltype delete explicit export false final friend import
    module mutable namespace new noexcept not nullptr operator or override private protected public requires template
    this throw true try typeid typename using virtual xor main
    """.split()
)
"""Keywords of C and C++, and what a program already has."""

PUBLIC = (
    "abi", "version", "arena_bytes", "arena_align", "init", "deinit", "run", "run_steps", "step_name", "selftest",
    "strerror", "metadata",
)  # fmt: skip
"""The functions of a library, without the prefix."""


def check_name(name: str) -> str:
    """Return ``name`` if a library can be called so: a C identifier, no keyword, no leading underscore; UserError."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name, re.ASCII) or name in RESERVED:
        raise UserError(f'name "{name}": must be a C identifier such as "{identifier(name)}"')
    return name


def identifier(text: str) -> str:
    """The nearest legal name: ``mobilenet_v2-1.0`` becomes ``mobilenet_v2_1_0``."""
    word = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_") or "model"
    return f"model_{word}" if not word[0].isalpha() or word in RESERVED else word


VARIANT_FUNCTIONS = ("variant", "set_variant")
"""What a library with kernels for several CPUs has besides."""


def exports(name: str, more: Sequence[str] = (), variants: int = 1) -> tuple[str, ...]:
    """All symbols that the shared library exports: what every library has, and ``more`` of its own.

    ``variants`` is how many CPUs it has kernels for.
    """
    functions = (*PUBLIC, *more, *(VARIANT_FUNCTIONS if variants > 1 else ()))
    return tuple(f"{name}_{function}" for function in functions)
