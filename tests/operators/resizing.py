"""Resize and Upsample: every mode, coordinate mode and rounding, by scales and by sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.operators.case import Case, Port, case, image, ints

COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
SCALES = ((2.0, 2.0), (1.5, 2.5), (0.5, 0.75), (1.0, 3.0), (0.6, 1.3), (1.3, 0.4), (2.6, 3.7))
SIZES = ((8, 10), (3, 7), (1, 9), (12, 1), (5, 13), (2, 2))


def floats(*values: float) -> np.ndarray[Any, Any]:
    return np.array(values, np.float32)


def resize(
    shape: tuple[int, ...],
    *,
    scales: Any = None,
    sizes: Any = None,
    opset: int = 13,
    roi: Any = None,
    dtype: str = "float32",
    **attributes: Any,
) -> Case:
    """``scales`` or ``sizes`` of all axes."""
    low, high = (-1.0, 1.0) if dtype == "float32" else (0, 255)
    port = Port(shape, dtype, low, high)
    if opset < 11:
        return case("Resize", port, floats(*scales), opset=opset, **attributes)
    numbers = None if sizes is None else ints(*sizes)
    given = None if scales is None else floats(*scales)
    if opset < 13 and roi is None:
        roi = ()
    if opset < 13 and given is None:
        given = floats()
    return case("Resize", port, None if roi is None else floats(*roi), given, numbers, opset=opset, **attributes)


def images(shape: tuple[int, ...], more: Any, **attributes: Any) -> list[Case]:
    """Every way to resize rows and columns of an NCHW image."""
    whole = [scales for scales in more[0] if min(scales[0] * shape[2], scales[1] * shape[3]) >= 1]
    return [resize(shape, scales=(1, 1, *scales), **attributes) for scales in whole] + [
        resize(shape, sizes=(1, shape[1], *sizes), **attributes) for sizes in more[1]
    ]


BOTH = (SCALES, SIZES)
LINEAR = [
    entry
    for way in COORDINATES
    for shape in ((1, 2, 5, 6), (1, 3, 1, 4), (1, 1, 7, 1), (1, 2, 1, 1))
    for entry in images(shape, BOTH, mode="linear", coordinate_transformation_mode=way)
]
NEAREST = [
    entry
    for way in COORDINATES
    for rounding in ROUNDINGS
    for shape in ((1, 2, 5, 6), (1, 1, 1, 3))
    for entry in images(shape, BOTH, mode="nearest", coordinate_transformation_mode=way, nearest_mode=rounding)
]
CUBIC = [
    entry
    for way in COORDINATES
    for excluded, a in ((0, -0.75), (1, -0.75), (0, -0.5), (1, -0.3))
    for entry in images(
        (1, 2, 5, 6), BOTH, mode="cubic", coordinate_transformation_mode=way, exclude_outside=excluded, cubic_coeff_a=a
    )
]
CUBIC += [entry for shape in ((1, 2, 3, 4), (1, 1, 8, 3)) for entry in images(shape, BOTH, mode="cubic")]
CROPS = [
    resize(
        (1, 2, 5, 6),
        opset=opset,
        roi=roi,
        mode=mode,
        coordinate_transformation_mode="tf_crop_and_resize",
        extrapolation_value=value,
        **how,
    )
    for opset in (11, 13, 18)
    for roi in ((0, 0, 0.2, 0.3, 1, 1, 0.8, 0.6), (0, 0, -0.4, 0.3, 1, 1, 0.8, 1.6))
    for mode, value in (("linear", 0.0), ("linear", 7.5), ("nearest", 7.5), ("cubic", 7.5))
    for how in ({"sizes": (1, 2, 4, 9)}, {"sizes": (1, 2, 1, 3)}, {"scales": (1, 1, 1.5, 0.7)})
]
NHWC = [
    resize((1, 5, 6, 3), mode=mode, coordinate_transformation_mode=way, **how)
    for mode in ("linear", "nearest")
    for way in COORDINATES
    for how in ({"sizes": (1, 8, 11, 3)}, {"scales": (1, 1.5, 0.6, 1)}, {"scales": (1, 2, 2, 1)})
]
NHWC += [resize((1, 5, 6, 3), mode="cubic", scales=(1, 1.5, 2, 1), opset=18)]
AXES = [
    resize((1, 2, 5, 6), opset=18, mode=mode, axes=axes, **how)
    for mode in ("linear", "nearest", "cubic")
    for axes, how in (
        ([2, 3], {"sizes": (7, 4)}),
        ([3, 2], {"sizes": (7, 4)}),
        ([3], {"scales": (1.7,)}),
        ([2, 3], {"scales": (0.6, 2.0)}),
        ([-2, -1], {"scales": (0.6, 2.0)}),
    )
]
POLICIES = [
    resize((1, 2, 5, 6), opset=opset, mode=mode, keep_aspect_ratio_policy=policy, axes=[2, 3], sizes=sizes)
    for opset in (18, 19)
    for mode in ("linear", "nearest", "cubic")
    for policy in ("not_larger", "not_smaller", "stretch")
    for sizes in ((9, 9), (3, 20), (2, 3), (7, 5))
]
SMOOTH = [
    entry
    for way in COORDINATES
    for mode in ("linear", "cubic")
    for excluded in (0, 1)
    for entry in images(
        (1, 2, 9, 8),
        (((0.5, 0.3), (0.4, 2.0), (1.0, 0.6), (1.7, 1.2)), ((3, 3), (1, 4), (5, 20))),
        mode=mode,
        opset=18,
        antialias=1,
        coordinate_transformation_mode=way,
        exclude_outside=excluded,
    )
]
SMOOTH += [resize((1, 9, 8, 2), opset=18, antialias=1, mode=mode, sizes=(1, 4, 3, 2)) for mode in ("linear", "cubic")]
OLD = [
    resize((1, 2, 5, 6), opset=10, mode=mode, scales=(1, 1, *scales))
    for mode in ("nearest", "linear")
    for scales in (*SCALES, (0.3, 0.9))
]
OLD += [
    case("Upsample", image(2, 5, 6), floats(1, 1, *scales), mode=mode, opset=9)
    for mode in ("nearest", "linear")
    for scales in ((2, 2), (1.5, 2.3), (1, 3))
]
OLD += [
    case("Upsample", image(2, 5, 6), mode=mode, scales=[1.0, 1.0, *scales], opset=7)
    for mode in ("nearest", "linear")
    for scales in ((2.0, 2.0), (1.5, 2.3))
]
RANKS = [
    resize(shape, mode=mode, opset=opset, **how)
    for opset in (11, 18)
    for mode in ("nearest", "linear")
    for shape, how in (
        ((5, 6), {"scales": (1.5, 2.2)}),
        ((5, 6), {"sizes": (3, 9)}),
        ((1, 2, 3, 4, 5), {"scales": (1, 1, 2, 1.5, 0.7)}),
    )
]
RANKS += [
    resize((1, 3, 7), mode="nearest", scales=(1, 1, 2.4)),
    resize((7,), mode="nearest", scales=(1.7,)),
    resize((1, 3, 7), mode="linear", scales=(1, 1, 2.4)),
    resize((1, 4, 5, 6), mode="nearest", scales=(1, 2, 1.5, 0.7)),
    resize((1, 4, 5, 6), mode="nearest", scales=(2, 1, 1, 1)),
    resize((2, 3, 4), mode="nearest", sizes=(3, 5, 6)),
]
TYPES = [resize((1, 2, 5, 6), dtype=dtype, mode="nearest", scales=(1, 1, 1.5, 2)) for dtype in ("uint8", "int32")]
TYPES += [
    resize((1, 2, 5, 6), dtype=dtype, mode="linear", scales=(1, 1, 1.5, 2), refused="cast it to float32")
    for dtype in ("uint8", "int32")
]
SAME = [resize((1, 2, 5, 6), mode=mode, scales=(1, 1, 1.0, 1.1)) for mode in ("nearest", "linear")]
SAME += [
    resize((1, 2, 5, 6), mode=mode, sizes=(1, 2, 5, 6), coordinate_transformation_mode="asymmetric")
    for mode in ("nearest", "linear")
] + [
    resize(
        (1, 2, 5, 6),
        mode="nearest",
        opset=11,
        coordinate_transformation_mode="tf_half_pixel_for_nn",
        scales=(1, 1, *scales),
    )
    for scales in SCALES
]
CASES = LINEAR + NEAREST + CUBIC + CROPS + NHWC + AXES + POLICIES + SMOOTH + OLD + RANKS + TYPES + SAME
