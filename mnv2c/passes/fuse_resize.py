"""Fuse bilinear upsampling with the argmax after it, so that full-resolution logits never exist.

Before: ``resize2d`` of an NHWC image, its transpose to NCHW, ``argmax`` over the channels, a cast. After: one function
of kind ``mask``; of a resize that others read, or that nothing follows, one of kind ``resize``.
"""

from __future__ import annotations

from typing import Any

from tvm import relax

from mnv2c.passes.base import bindings, is_call, is_float32, shape_of
from mnv2c.passes.convolutions import use_counts
from mnv2c.passes.outline import Group, outline
from mnv2c.plan.resampling import coordinates

LABELS = ("uint8", "int32", "int64")


def fuse_resize(module: Any) -> Any:
    """Outline every linear resize and every argmax over channels."""
    return _outline_resizes(_outline_masks(module))


def _outline_masks(module: Any) -> Any:
    main = module["main"]
    uses, values = use_counts(main), relax.analysis.get_var2val(main)
    groups = []
    for binding in bindings(main):
        if not is_call(binding.value, "relax.argmax"):
            continue
        before = _image_before(binding.value, uses, values)
        if before is None:
            continue
        resize = values.get(before[0])
        resized = resize is not None and is_linear(resize) and uses[before[0]] == 1
        variables = [*(before if resized else before[1:]), binding.var, *_cast(main, uses, binding.var)]
        groups.append(Group("mask", tuple(variables)))
    return outline(module, groups)


def _outline_resizes(module: Any) -> Any:
    groups = [Group("resize", (binding.var,)) for binding in bindings(module["main"]) if is_linear(binding.value)]
    return outline(module, groups)


def is_linear(value: Any) -> bool:
    """Whether ``value`` is a bilinear resize of one NHWC image that a stage computes."""
    if not is_call(value, "relax.image.resize2d") or not isinstance(value.args[0], relax.Var):
        return False
    if not is_float32(value.args[0]) or shape_of(value.args[0])[0] != 1:
        return False
    attributes = value.attrs
    if str(attributes.method) != "linear" or str(attributes.layout) != "NHWC":
        return False
    return coordinates(str(attributes.coordinate_transformation_mode), shape_of(value)[1:3]) is not None


def _image_before(call: Any, uses: Any, values: Any) -> list[Any] | None:
    """Return the NHWC image whose channels ``call`` compares, and its transpose if there is one; None for another."""
    source, axis = call.args[0], call.attrs.axis
    shape = shape_of(source)
    if len(shape) != 4 or shape[0] != 1 or not is_float32(source) or axis is None:
        return None
    turned = values.get(source)
    if int(axis) % 4 == 3:
        return [source]
    is_turned = turned is not None and is_call(turned, "relax.permute_dims") and uses[source] == 1
    if int(axis) % 4 != 1 or not is_turned or [int(entry) for entry in turned.attrs.axes or ()] != [0, 3, 1, 2]:
        return None
    return [turned.args[0], source]


def _cast(main: Any, uses: Any, labels: Any) -> list[Any]:
    for binding in bindings(main) if uses[labels] == 1 else []:
        if is_call(binding.value, "relax.astype") and binding.value.args[0] == labels:
            return [binding.var] if str(binding.var.ty.dtype) in LABELS else []
    return []
