"""Foreign graphs reach corners of TVM and onnxruntime that raise whatever they like; users get one typed line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mnv2c.errors import CompilerError, Mnv2cError

LONGEST = 300
"""Characters of the reason that are shown; the cause keeps all of it."""


@contextmanager
def one_line_errors(model: str, what: str, kind: type[Mnv2cError] = CompilerError) -> Iterator[None]:
    """Turn any exception that is not typed into one of ``kind``: ``model`` cannot be ``what``, and why."""
    try:
        yield
    except (Mnv2cError, Warning):  # a warning is raised where the user asked for that
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = f"{type(error).__name__}: {lines[-1][:LONGEST]}" if lines else type(error).__name__
        raise kind(f"{model} cannot be {what}: {reason}") from error
