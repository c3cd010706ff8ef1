"""The numbers of a box convention, as the C templates take them."""

from __future__ import annotations

from mnv2c.frames.description import Boxes
from mnv2c.frames.numbers import number, numbers
from mnv2c.spec.priors import BoxConvention, PriorMap, prior_maps

LARGEST_EXPONENT = 80.0
"""Stands for no clamp: exp of it is far beyond any picture, and its multiples are still float32."""

SIGMOID = """\
    (void)sum;
    return 1.0f / (1.0f + exponential(-logit));"""
SOFTMAX = "    return exponential(logit - sum->largest) * sum->share;"

BYTES = {"candidate": 8, "softmax": 8, "corners": 16}


def values(boxes: Boxes, image: tuple[int, int]) -> dict[str, object]:
    """What fills ``boxes.h.in``, ``priors.c.in`` and ``boxes.c.in``; ``image`` is (height, width)."""
    convention, priors = boxes.convention, boxes.priors
    softmax = convention.score == "softmax"
    per_class = convention.detections if convention.per_class is None else convention.per_class
    memory = BYTES["candidate"] * priors + BYTES["softmax"] * (priors if softmax else 1) + BYTES["corners"] * per_class
    background = convention.background
    return {
        "convention": convention.name,
        "priors": priors,
        "slots": boxes.slots,
        "background": -1 if background is None else background,
        "background_note": "" if background is None else f"; never {background}, the background",
        "maps": len(boxes.maps),
        "most_anchors": max(convention.anchors_per_map),
        "candidates": priors if convention.candidates is None else convention.candidates,
        "per_class": per_class,
        "clip_first": int(convention.clip_first),
        "most_centre": "1.0f" if convention.clip == "all" else "3e38f",
        "table": "\n".join(map(_map, prior_maps(convention, boxes.maps, image))),
        "softmax": int(softmax),
        "score": SOFTMAX if softmax else SIGMOID,
        "score_threshold": number(convention.score_threshold),
        "iou": number(convention.iou),
        "detections": convention.detections,
        "detect_bytes": memory,
        **_coding(convention),
    }


def _coding(convention: BoxConvention) -> dict[str, object]:
    places = {f"code_{axis}": at for axis, at in zip("xywh", convention.coding, strict=True)}
    clamp = LARGEST_EXPONENT if convention.clamp is None else min(convention.clamp, LARGEST_EXPONENT)
    return places | {
        "clamp": number(clamp),
        "centre_variance": number(convention.variances[0]),
        "size_variance": number(convention.variances[1]),
    }


def _map(each: PriorMap) -> str:
    sizes = ", ".join(f"{{{numbers(size)}}}" for size in each.sizes)
    steps = numbers((each.y_step, each.x_step))
    return f"    {{{each.rows}, {each.columns}, {len(each.sizes)}, {steps}, {{{sizes}}}}},"
