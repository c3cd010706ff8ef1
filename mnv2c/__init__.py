"""mnv2c: compiles MobileNetV2-family networks into small, dependency-free C libraries.

The names below are the whole public API; each is imported on first use, so that ``import mnv2c`` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mnv2c.common.version import __version__

if TYPE_CHECKING:
    from mnv2c.api import (
        bench,
        draw_scenes,
        evaluate,
        export,
        inspect,
        load,
        plan_model,
        profile,
        run,
        tune_model,
        verify,
    )
    from mnv2c.api import compile_model as compile

__all__ = [
    "__version__",
    "bench",
    "compile",
    "draw_scenes",
    "evaluate",
    "export",
    "inspect",
    "load",
    "plan_model",
    "profile",
    "run",
    "tune_model",
    "verify",
]


def _name_in_api(name: str) -> str:
    return "compile_model" if name == "compile" else name


def __getattr__(name: str) -> Any:
    """Import a public function on first use; AttributeError for anything else."""
    if name not in __all__:
        raise AttributeError(f"module 'mnv2c' has no attribute {name!r}")
    return getattr(import_module("mnv2c.api"), _name_in_api(name))


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted(__all__)
