"""What the measuring program prints, line by line, as results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import inf
from typing import Any

from mnv2c.tune.space.task import Measured, Status

CONDITIONS = (
    "core",
    "pinned",
    "hertz",
    "celsius",
    "rounds",
    "default_cost",
    "default_costs",
    "ratios",
    "phases",
    "parts",
)
"""What a line tells besides the result."""

FIGURES = ("cost", "ratio", "spread", "error")


def read_answers(text: str, numbers: Sequence[int], device: str = "") -> list[Measured]:
    """One result per number, in order; those without a whole line are lost. ``device`` is the device's URL."""
    found = {answer["number"]: answer for answer in map(_answer, text.splitlines()) if answer is not None}
    return [_measured(found.get(number), device) for number in numbers]


def _answer(line: str) -> dict[str, Any] | None:
    """A line's object; None for what the program did not print, or not wholly, or could not have printed."""
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if (
        not isinstance(answer, dict)
        or answer.get("status") not in tuple(Status)
        or type(answer.get("number")) is not int
    ):
        return None
    costs = answer.get("costs", [])
    figures = [answer[name] for name in FIGURES if answer.get(name) is not None]
    return answer if isinstance(costs, list) and all(map(_is_figure, [*figures, *costs])) else None


def _is_figure(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < inf  # type: ignore[operator]  # a number, by the first half


def _measured(answer: dict[str, Any] | None, device: str) -> Measured:
    if answer is None:
        return Measured(Status.LOST, detail="the device gave no answer", device=device)
    return Measured(
        status=Status(answer["status"]),
        cost=answer.get("cost"),
        ratio=answer.get("ratio"),
        spread=answer.get("spread"),
        error=answer.get("error"),
        costs=tuple(answer.get("costs", ())),
        detail=str(answer.get("detail", "")),
        device=device,
        conditions={name: answer[name] for name in CONDITIONS if name in answer},
    )
