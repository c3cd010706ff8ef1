"""Names of libraries: every symbol, macro and file of a library begins with its name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mnv2c.common.escape import quoted
from mnv2c.errors import UserError
from mnv2c.package.reserved import taken_by

LONGEST = 100
"""Characters of a name: files called after it stay within the 255 bytes that file systems allow."""

PUBLIC = (
    "abi", "version", "arena_bytes", "arena_align", "init", "deinit", "run", "run_steps", "step_name", "selftest",
    "strerror", "metadata",
)  # fmt: skip
"""The functions of a library, without the prefix."""


def check_name(name: str) -> str:
    """Return ``name`` if a library can be called so: a C identifier that nothing else has, no leading underscore.

    UserError else: also for keywords and for the names of system headers, which ``NAME.h`` would hide.
    """
    if len(name) > LONGEST or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name, re.ASCII):
        raise UserError(
            f'name {quoted(name)}: must be a C identifier such as "{identifier(name)}", of at most {LONGEST} characters'
        )
    if reason := taken_by(name):
        raise UserError(f'name "{name}": {reason}; give another one, such as "{identifier(name)}"')
    return name


def identifier(text: str) -> str:
    """The nearest legal name: ``mobilenet_v2-1.0`` becomes ``mobilenet_v2_1_0``."""
    word = re.sub(r"[^A-Za-z0-9]+", "_", text[: 4 * LONGEST]).strip("_")[: LONGEST // 2].strip("_") or "model"
    return f"model_{word}" if not word[0].isalpha() or taken_by(word) else word


VARIANT_FUNCTIONS = ("variant", "set_variant")
"""What a library with kernels for several CPUs has besides."""


def exports(name: str, more: Sequence[str] = (), variants: int = 1) -> tuple[str, ...]:
    """All symbols that the shared library exports: what every library has, and ``more`` of its own.

    ``variants`` is how many CPUs it has kernels for.
    """
    functions = (*PUBLIC, *more, *(VARIANT_FUNCTIONS if variants > 1 else ()))
    return tuple(f"{name}_{function}" for function in functions)
