"""A made-up profile: round numbers, every kind of step and buffer, names that need escaping."""

from __future__ import annotations

import copy
from typing import Any

NAMES = ("stem_bottleneck_01", "bottleneck_02", "bottleneck_03", "fallback_add<&>", "head", "dense")


def profile_figures() -> dict[str, Any]:
    """What ``Profile.as_dict`` returns, for a library of six steps."""
    return copy.deepcopy(FIGURES)


def _step(number: int, madds: int | None, median_ms: float, alone_ms: float, moved: tuple[int, int, int]) -> dict:
    total = sum(moved)
    return {
        "step": number,
        "name": NAMES[number],
        "stages": ["add"] if madds is None else ["expand", "depthwise", "project"],
        "fallback": madds is None,
        "madds": madds,
        "median_ms": median_ms,
        "time_share": round(median_ms / 1.25, 4),
        "alone_ms": alone_ms,
        "gmacs": None if madds is None else round(madds / median_ms / 1e6, 3),
        "peak_share": None if madds is None else round(madds / median_ms / 1e6 / 50, 4),
        "input_bytes": moved[0],
        "output_bytes": moved[1],
        "weights_bytes": moved[2],
        "moved_bytes": total,
        "moved_gbytes_per_s": round(total / median_ms / 1e6, 3),
        "madds_per_byte": None if madds is None else round(madds / total, 3),
        "arena_bytes": 100_000,
    }


def _buffer(name: str, offset: int, size: int, first: int, last: int, *tensors: str) -> dict:
    return {"name": name, "offset": offset, "bytes": size, "first": first, "last": last, "tensors": list(tensors)}


FIGURES: dict[str, Any] = {
    "name": "made_up",
    "directory": "dist",
    "target": "cortex-a76",
    "threads": 1,
    "rounds": 9,
    "runs": 40,
    "madds": 40_500_000,
    "median_ms": 1.25,
    "min_ms": 1.2,
    "p90_ms": 1.3,
    "spread": 0.02,
    "sum_ms": 1.25,
    "sum_share": 0.999,
    "alone_sum_ms": 1.1,
    "reading_ns": 25.0,
    "peak_gmacs": 50.0,
    "peak_share": 0.648,
    "bandwidths": [
        {"name": "L2", "buffer_bytes": 262_144, "gbytes_per_s": 60.0},
        {"name": "memory", "buffer_bytes": 67_108_864, "gbytes_per_s": 10.0},
    ],
    "steps": [
        _step(0, 16_000_000, 0.4, 0.38, (600_000, 200_000, 7_000)),
        _step(1, 12_000_000, 0.3, 0.31, (200_000, 80_000, 20_000)),
        _step(2, 8_000_000, 0.2, 0.2, (80_000, 80_000, 40_000)),
        _step(3, None, 0.05, 0.02, (160_000, 80_000, 0)),
        _step(4, 4_000_000, 0.1, 0.09, (80_000, 5_000, 300_000)),
        _step(5, 500_000, 0.2, 0.1, (5_000, 4_000, 2_000_000)),
    ],
    "arena": {
        "bytes": 320_000,
        "alive_bytes": 310_000,
        "alive_at": "bottleneck_02",
        "buffers": [
            _buffer("stem_bottleneck_01", 0, 200_000, 0, 1, "stem_bottleneck_01"),
            _buffer("stem_bottleneck_01: load_input_0", 200_064, 2_000, 0, 0),
            _buffer("stem_bottleneck_01: depthwise", 202_112, 30_000, 0, 0),
            _buffer("bottleneck_02", 240_000, 80_000, 1, 3, "bottleneck_02", "bottleneck_03"),
            _buffer("bottleneck_02: expand", 200_064, 30_000, 1, 1),
            _buffer("bottleneck_03: expand", 0, 40_000, 2, 2),
            _buffer("fallback_add<&>", 0, 80_000, 3, 4, "fallback_add<&>"),
            _buffer("head", 80_000, 5_000, 4, 5, "head"),
        ],
        "bounds": [
            {"equations": [1], "graph": "every bottleneck one operation", "bytes": 500_000, "at": "block_2"},
            {"equations": [2], "graph": "every bottleneck one operation", "bytes": 300_000, "at": "block_2"},
            {"equations": [1, 2], "graph": "every layer one operation", "bytes": 900_000, "at": "block_2.expand"},
        ],
    },
    "machine": {
        "cpu": "a CPU",
        "cores": 4,
        "system": "Linux aarch64",
        "load": 0.1,
        "versions": {"mnv2c": "1.2.3", "python": "3.11.0"},
    },
}
