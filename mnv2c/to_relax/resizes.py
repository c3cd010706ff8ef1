"""Resize and Upsample of every opset: as ``resize2d`` where a stage computes that exactly, else axis by axis.

``resize2d`` knows neither a scale that is not outputs / inputs, nor axes, nor how onnxruntime rounds ties. Everything
but bilinear images of whole scales is therefore computed from tables of taps (`mnv2c.passes.samples`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any

import numpy as np
from tvm import relax
from tvm.ir import GenericConst

from mnv2c.errors import OnnxError
from mnv2c.from_onnx.resized import SCALES
from mnv2c.passes.resample import along, extrapolated
from mnv2c.passes.samples import Method, taps

STAGED = ("align_corners", "half_pixel", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric")
"""Coordinate modes that agree with `mnv2c.plan.resampling` where the scale is outputs / inputs."""


@dataclass(frozen=True)
class Plan:
    """What a Resize does to every axis: the results' extents, the scales (values of float32), the part of a crop."""

    extents: tuple[int, ...]
    scales: tuple[float, ...]
    regions: tuple[tuple[float, float], ...]

    def changed(self, shape: Sequence[int]) -> list[int]:
        """The axes that are resampled."""
        return [axis for axis, extent in enumerate(self.extents) if (extent, self.scales[axis]) != (shape[axis], 1.0)]


def resize(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """Convert a Resize; its roi, scales and sizes are constants. OnnxError for what is not supported."""
    opset = int(attributes["opset"])
    data, *operands = [*inputs, None, None, None][:4]
    region, scales, sizes = (None, operands[0], None) if opset < 11 else operands
    values = {
        "roi": _constant(region, "roi"),
        "scales": _constant(scales, "scales"),
        "sizes": _constant(sizes, "sizes"),
    }
    if SCALES in attributes:  # the sizes that they mean are written out
        values |= {"scales": np.array(attributes[SCALES], np.float32), "sizes": None}
    method = _method(attributes, opset)
    return _resampled(builder, data, method, _planned(data, method, values, attributes), attributes)


def upsample(builder: Any, inputs: list[Any], attributes: Mapping[str, Any]) -> Any:
    """Convert an Upsample: a Resize as it was before opset 10, whose scales were an attribute before opset 9."""
    scales = attributes["scales"] if len(inputs) < 2 else _constant(inputs[1], "scales")
    method = _method(attributes, 9)
    plan = _planned(inputs[0], method, {"scales": np.asarray(scales, np.float32)}, {})
    return _resampled(builder, inputs[0], method, plan, attributes)


def _constant(value: Any, name: str) -> Any:
    if value is None:
        return None
    if isinstance(value, relax.ShapeExpr):
        return np.array([int(extent) for extent in value.values], np.int64)
    if not isinstance(value, GenericConst):
        raise OnnxError(f"its {name} are computed while the network runs; export it with a fixed output size")
    array = value.value.numpy().reshape(-1)
    return array if array.size else None


def _method(attributes: Mapping[str, Any], opset: int) -> Method:
    def text(name: str, default: str) -> str:
        return bytes(attributes.get(name, default.encode())).decode()

    old = opset < 11
    method = Method(
        mode=text("mode", "nearest"),
        coordinates="asymmetric" if old else text("coordinate_transformation_mode", "half_pixel"),
        nearest="simple" if old else text("nearest_mode", "round_prefer_floor"),
        coefficient=float(attributes.get("cubic_coeff_a", -0.75)),
        exclude_outside=bool(attributes.get("exclude_outside", 0)),
        antialias=bool(attributes.get("antialias", 0)),
    )
    if method.mode not in ("nearest", "linear", "cubic"):
        raise OnnxError(f"it has no mode {method.mode!r}; use nearest, linear or cubic")
    if method.coordinates not in (*STAGED, "tf_half_pixel_for_nn", "tf_crop_and_resize"):
        raise OnnxError(f"it has no coordinate_transformation_mode {method.coordinates!r}; use half_pixel")
    return method


def _planned(data: Any, method: Method, values: Mapping[str, Any], attributes: Mapping[str, Any]) -> Plan:
    shape = [int(extent) for extent in data.ty.shape.values]
    rank = len(shape)
    axes = [int(axis) % rank for axis in attributes.get("axes", range(rank))]
    scales, sizes, region = values.get("scales"), values.get("sizes"), values.get("roi")
    given = sizes if scales is None else scales
    if given is None or len(given) != len(axes):
        raise OnnxError("its scales or sizes are not one per axis; export the model again")
    extents, found = list(shape), [1.0] * rank
    policy = bytes(attributes.get("keep_aspect_ratio_policy", b"stretch")).decode()
    if scales is None:
        ratios = [np.float32(size) / np.float32(shape[axis]) for axis, size in zip(axes, given, strict=True)]
        if policy != "stretch":
            ratios = [min(ratios) if policy == "not_larger" else max(ratios)] * len(axes)
            given = [floor(float(ratios[0] * np.float32(shape[axis])) + 0.5) for axis in axes]
    else:
        ratios = [np.float32(scale) for scale in given]
        given = [int(ratio * np.float32(shape[axis])) for axis, ratio in zip(axes, ratios, strict=True)]
    for axis, extent, ratio in zip(axes, given, ratios, strict=True):
        extents[axis], found[axis] = int(extent), float(ratio)
    if any(extent < 1 for extent in extents) or not all(scale > 0 for scale in found):
        raise OnnxError(f"it resizes {shape} to {extents}; every extent must be positive")
    return Plan(tuple(extents), tuple(found), _regions(method, region, axes, rank))


def _regions(method: Method, region: Any, axes: list[int], rank: int) -> tuple[tuple[float, float], ...]:
    """The part of every axis that tf_crop_and_resize takes; all of it elsewhere."""
    found = [(0.0, 1.0)] * rank
    if method.extrapolates:
        if region is None or len(region) != 2 * len(axes):
            raise OnnxError("tf_crop_and_resize needs a constant roi with a start and an end per axis")
        for index, axis in enumerate(axes):
            found[axis] = (float(region[index]), float(region[index + len(axes)]))
    return tuple(found)


def _resampled(builder: Any, data: Any, method: Method, plan: Plan, attributes: Mapping[str, Any]) -> Any:
    shape = [int(extent) for extent in data.ty.shape.values]
    if list(plan.extents) == shape:  # onnxruntime copies, whatever the scales are
        return data
    if method.mode != "nearest" and str(data.ty.dtype) not in ("float32", "float64"):
        raise OnnxError(f"mode {method.mode} of {data.ty.dtype} is not supported; cast it to float32 before")
    if layout := _stage_layout(method, plan, shape, str(data.ty.dtype)):
        mode = "half_pixel" if method.coordinates == "half_pixel_symmetric" else method.coordinates
        extents = plan.extents[2:] if layout == "NCHW" else plan.extents[1:3]
        return relax.op.image.resize2d(
            data, list(extents), layout=layout, method="linear", coordinate_transformation_mode=mode
        )
    outside = []
    for axis in sorted(plan.changed(shape), key=lambda axis: plan.extents[axis] / shape[axis]):
        if method.antialias and plan.extents[axis] == shape[axis]:
            continue  # onnxruntime copies such an axis
        table = taps(method, shape[axis], plan.extents[axis], plan.scales[axis], plan.regions[axis])
        data = along(builder, data, axis, table)
        if table.outside.any():
            outside.append((axis, table.outside))
    return extrapolated(builder, data, outside, float(attributes.get("extrapolation_value", 0.0)))


def _stage_layout(method: Method, plan: Plan, shape: list[int], dtype: str) -> str:
    """The layout in which ``resize2d`` means just this: bilinear, of whole images; empty if it does not."""
    axes = plan.changed(shape)
    if method.mode != "linear" or method.antialias or len(shape) != 4 or shape[0] != 1 or dtype != "float32":
        return ""
    single = method.coordinates == "pytorch_half_pixel" and any(plan.extents[axis] == 1 for axis in axes)
    if method.coordinates not in STAGED or single:
        return ""
    for axis in axes:
        exact = np.float32(plan.extents[axis]) / np.float32(shape[axis])
        if method.coordinates != "align_corners" and np.float32(plan.scales[axis]) != exact:
            return ""
    if set(axes) <= {2, 3}:
        return "NCHW"
    return "NHWC" if set(axes) <= {1, 2} else ""
