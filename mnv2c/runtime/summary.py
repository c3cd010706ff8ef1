"""What a compiled folder holds, in short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mnv2c.runtime.belonging import libraries
from mnv2c.runtime.metadata import read

KEYS = ("name", "dtype", "inputs", "outputs", "params", "madds", "arena_bytes", "weights_bytes", "weights_source")


def summary(directory: str | Path) -> dict[str, Any]:
    """Return name, target, costs, kernels and files (sizes in bytes) as plain data; LibraryError if there is none.

    ``tuned`` is the number of chains that run as a record says.
    """
    description = read(directory)
    folder, meta = description.folder, description.metadata
    return {key: meta.get(key) for key in KEYS} | {
        "directory": str(folder),
        "target": meta["target"]["name"],
        "chains": len(meta["chains"]),
        "tuned": sum(1 for chain in meta["chains"] if chain.get("tuned")),
        "fallbacks": [fallback["name"] for fallback in meta["fallbacks"]],
        "fallback_work": meta.get("fallback_work", {}),
        "files": {path.name: path.stat().st_size for path in libraries(description.path)},
    }
