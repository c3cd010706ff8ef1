"""A made-up plan: round numbers, a fallback, a joined chain, names that need escaping."""

from __future__ import annotations

import copy
from typing import Any


def plan_figures() -> dict[str, Any]:
    """What ``Plan.as_dict`` returns, for a network of six chains in four kernel calls."""
    return copy.deepcopy(FIGURES)


def _chain(name: str, joins: tuple[str, ...], rows: int | None, windows: tuple[tuple[str, int], ...]) -> dict[str, Any]:
    fallback = rows is None
    return {
        "name": name,
        "joins": list(joins),
        "stages": ["add"] if fallback else ["expand", "depthwise", "project"] * len(joins),
        "rows": rows,
        "windows": [{"stage": "depthwise", "keeps": keeps, "channels": channels} for keeps, channels in windows],
        "in_place": False,
        "madds": None if fallback else 2_500_000,
        "cycles": None if fallback else 250_000,
        "share": None if fallback else 0.25,
        "scratch_bytes": 40_000,
        "peak_bytes": 90_000,
        "parts": None,
        "tuned": None,
    }


def _point(size: int, ratio: float, *chains: str) -> dict[str, Any]:
    return {"arena_bytes": size, "cycles": round(1_000_000 * ratio), "time_ratio": ratio, "chains": list(chains)}


JOINED = ("stem_bottleneck_01", "bottleneck_02", "bottleneck_03")
NAMES = ("stem_bottleneck_01_to_03", "fallback_add<&>", "bottleneck_04", "head")

FIGURES: dict[str, Any] = {
    "name": "made_up",
    "summary": "made_up, width 1, 96x96, 8 classes",
    "target": "cortex-a76",
    "threads": 1,
    "arena_limit": 125_000,
    "arena_bytes": 120_000,
    "cycles": 1_100_000,
    "time_ratio": 1.1,
    "madds": 7_500_000,
    "chains": [
        _chain(NAMES[0], JOINED, 1, (("sums", 8), ("sums", 8), ("nothing", 8))),
        _chain(NAMES[1], (NAMES[1],), None, ()),
        _chain(NAMES[2], (NAMES[2],), 2, (("ring", 96),)),
        _chain(NAMES[3], (NAMES[3],), 0, (("image", 320),)),
    ],
    "frontier": [
        _point(100_000, 1.5, "stem_bottleneck_01_to_04", *NAMES[1:2], "head"),
        _point(120_000, 1.1, *NAMES),
        _point(200_000, 1.0, *JOINED, *NAMES[1:]),
    ],
    "fallback_work": {"madds_share": 0.0, "bytes_share": 0.0, "operators": {}, "note": ""},
    "bounds": [
        {"equations": [1, 2], "graph": "every bottleneck one operation", "bytes": 250_000, "at": "block_2"},
        {"equations": [1, 2], "graph": "every layer one operation", "bytes": 900_000, "at": "block_2.expand"},
    ],
}
