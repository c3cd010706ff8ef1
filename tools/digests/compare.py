"""Files of digests, and what differs between two."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from tools.digests.folder import Digests

WHOLE = ("weights", "plan", "source", "header")
EACH = ("code", "constants")


def write(path: Path, found: Mapping[str, Digests]) -> None:
    """Write the digests by the names of their cases."""
    content = {name: asdict(digests) for name, digests in sorted(found.items())}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load(path: Path) -> dict[str, Digests]:
    """Read what `write` wrote."""
    return {name: Digests(**entry) for name, entry in json.loads(path.read_text(encoding="utf-8")).items()}


def differences(name: str, before: Digests, after: Digests, ignored: frozenset[str] = frozenset()) -> Iterator[str]:
    """Say what differs, a line each; ``ignored`` are kinds of digests."""
    for kind in WHOLE:
        if kind not in ignored and getattr(before, kind) != getattr(after, kind):
            yield f"{name}: {kind} differs"
    if len(before.code) != len(after.code):
        yield f"{name}: {len(after.code)} kernels instead of {len(before.code)}"
        return
    for kind in EACH:
        pairs = zip(getattr(before, kind), getattr(after, kind), strict=True)
        for number, (old, new) in enumerate(pairs):
            if kind not in ignored and old != new:
                yield f"{name}: {kind} of kernel {number} ({after.labels[number]}) differs"
