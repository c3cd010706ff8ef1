"""Average precision by COCO's own tools, where the extra ``coco`` (pycocotools) is installed."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from mnv2c.learning.evaluation.detection import Detections, Objects, Precision


def available() -> bool:
    """Whether pycocotools is installed."""
    return find_spec("pycocotools") is not None


def mean_precision(truth: Sequence[Objects], found: Sequence[Detections]) -> Precision:
    """The same as ``mnv2c.learning.evaluation.detection.mean_precision``."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    if not any((~objects.ignored).any() for objects in truth):
        return Precision(0.0, 0.0, {})
    results = _results(found)
    with contextlib.redirect_stdout(io.StringIO()):  # the tools print what they do
        ground = COCO()
        ground.dataset = _truth(truth, found)
        ground.createIndex()
        answers = ground.loadRes(results) if results else COCO()
        if not results:
            answers.dataset = {**ground.dataset, "annotations": []}
            answers.createIndex()
        judge = COCOeval(ground, answers, "bbox")
        judge.evaluate()
        judge.accumulate()
    table = judge.eval["precision"][:, :, :, 0, -1]  # [thresholds, recalls, classes], all areas, 100 detections
    occurs = (table > -1).all((0, 1))  # -1 stands for a class that does not occur
    table, classes = table[..., occurs], np.array(judge.params.catIds)[occurs]
    by_class = dict(zip(classes.tolist(), table[0].mean(0).tolist(), strict=True))
    return Precision(float(table.mean()), float(table[0].mean()), by_class)


def _truth(truth: Sequence[Objects], found: Sequence[Detections]) -> dict[str, Any]:
    """COCO's JSON; what is ignored without being a crowd, which COCO does not have, becomes a crowd."""
    classes = sorted({int(item) for group in (truth, found) for seen in group for item in seen.classes})
    annotations: list[dict[str, Any]] = []
    for image, objects in enumerate(truth):
        for box, item, ignored in zip(objects.boxes.tolist(), objects.classes, objects.ignored, strict=True):
            left, top, right, bottom = box
            sides = (right - left, bottom - top)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(item),
                    "bbox": [left, top, *sides],
                    "area": sides[0] * sides[1],
                    "iscrowd": int(ignored),
                }
            )
    return {
        "info": {},
        "images": [{"id": image} for image in range(len(truth))],
        "categories": [{"id": item} for item in classes],
        "annotations": annotations,
    }


def _results(found: Sequence[Detections]) -> list[dict[str, Any]]:
    return [
        {
            "image_id": image,
            "category_id": int(item),
            "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
            "score": float(score),
        }
        for image, seen in enumerate(found)
        for box, item, score in zip(seen.boxes.tolist(), seen.classes, seen.scores, strict=True)
    ]
