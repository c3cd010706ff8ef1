"""Pools and normalisations with every attribute."""

from __future__ import annotations

from itertools import product

from tests.operators.case import case, constant, image

AVERAGE = [
    case(
        "AveragePool",
        image(3, *size),
        kernel_shape=kernel,
        strides=strides,
        pads=pads,
        ceil_mode=ceil,
        count_include_pad=include,
        opset=opset,
    )
    for size, kernel, strides, pads in [
        ((7, 6), [3, 3], [2, 2], [1, 1, 1, 1]),
        ((7, 6), [3, 2], [2, 3], [0, 1, 2, 0]),
        ((8, 8), [2, 2], [2, 2], [0, 0, 0, 0]),
        ((5, 9), [3, 3], [3, 3], [0, 0, 1, 1]),
        ((5, 5), [5, 5], [1, 1], [0, 0, 0, 0]),
        ((6, 6), [6, 6], [1, 1], [1, 0, 1, 0]),
    ]
    for ceil, include in product((0, 1), (0, 1))
    for opset in (11, 19)
]
AVERAGE += [
    case(
        "AveragePool",
        image(2, 9, 10),
        kernel_shape=[3, 2],
        dilations=[2, 3],
        strides=[1, 2],
        pads=pads,
        opset=19,
        count_include_pad=include,
    )
    for pads in ([0, 0, 0, 0], [1, 1, 2, 0])
    for include in (0, 1)
]
AVERAGE += [
    case(
        "AveragePool",
        image(2, *size),
        kernel_shape=[3, 2],
        strides=[2, 2],
        auto_pad=auto,
        count_include_pad=include,
        opset=opset,
    )
    for size in ((7, 6), (8, 5))
    for auto in ("SAME_UPPER", "SAME_LOWER", "VALID")
    for include in (0, 1)
    for opset in (11, 19)
]
AVERAGE += [
    case("AveragePool", image(2, 9), kernel_shape=[3], strides=[2], pads=[1, 1], opset=11),
    case(
        "AveragePool", image(2, 5, 6, 4), kernel_shape=[3, 2, 2], strides=[2, 1, 2], pads=[1, 0, 0, 1, 1, 1], opset=11
    ),
    case("AveragePool", image(2, 5, 6), kernel_shape=[3, 2], opset=7),
]

MAXIMUM = [
    case("MaxPool", image(3, *size), kernel_shape=kernel, strides=strides, pads=pads, ceil_mode=ceil, opset=opset)
    for size, kernel, strides, pads in [
        ((7, 6), [3, 3], [2, 2], [1, 1, 1, 1]),
        ((7, 6), [3, 2], [2, 3], [0, 1, 2, 0]),
        ((8, 8), [2, 2], [2, 2], [0, 0, 0, 0]),
        ((5, 9), [3, 3], [3, 3], [0, 0, 1, 1]),
        ((6, 6), [6, 6], [1, 1], [1, 0, 1, 0]),
    ]
    for ceil in (0, 1)
    for opset in (11, 17)
]
MAXIMUM += [
    case("MaxPool", image(2, 9, 10), kernel_shape=[3, 2], dilations=[2, 3], strides=[1, 2], pads=pads, ceil_mode=ceil)
    for pads in ([0, 0, 0, 0], [1, 1, 2, 0])
    for ceil in (0, 1)
]
MAXIMUM += [
    case("MaxPool", image(2, *size), kernel_shape=[3, 2], strides=[2, 2], auto_pad=auto)
    for size in ((7, 6), (8, 5))
    for auto in ("SAME_UPPER", "SAME_LOWER", "VALID")
]
MAXIMUM += [
    case("MaxPool", image(2, 9), kernel_shape=[3], strides=[2], pads=[1, 1]),
    case("MaxPool", image(2, 5, 6, 4), kernel_shape=[3, 2, 2], strides=[2, 1, 2], pads=[1, 0, 0, 1, 1, 1]),
    case("MaxPool", image(2, 7, 7), kernel_shape=[2, 2], strides=[1, 1], auto_pad="SAME_LOWER"),
    case("MaxPool", image(2, 7, 7, dtype="uint8", low=0, high=255), kernel_shape=[2, 2]),
    case("MaxPool", image(2, 7, 7), kernel_shape=[2, 2], results=2, read=(0, 1), refused="only the first is supported"),
    case("MaxPool", image(2, 7, 7), kernel_shape=[2, 2], results=2),
]

OTHERS = [
    case("GlobalAveragePool", image(5, 4, 7)),
    case("GlobalMaxPool", image(5, 4, 7)),
    case("GlobalAveragePool", image(5, 4)),
    case("GlobalMaxPool", image(5, 4)),
    *(case("LRN", image(6, 3, 3), size=size, alpha=0.3, beta=0.6, bias=1.5) for size in (1, 3, 5)),
    case("LRN", image(6, 3, 3), size=3),
    *(
        case(
            "BatchNormalization",
            image(4, 3, 5),
            *(constant(4, seed=s, low=low) for s, low in ((1, -1), (2, -1), (3, -1), (4, 0.1))),
            epsilon=eps,
            opset=opset,
            **more,
        )
        for eps, opset, more in (
            (1e-5, 9, {}),
            (0.1, 14, {}),
            (0.01, 15, {"momentum": 0.3}),
            (0.01, 8, {"momentum": 0.3}),
        )
    ),
    *(
        case(
            "BatchNormalization",
            image(*shape),
            *(constant(4, seed=s, low=low) for s, low in ((1, -1), (2, -1), (3, -1), (4, 0.1))),
        )
        for shape in ((4,), (4, 5), (4, 2, 3, 2))
    ),
    *(
        case(
            "BatchNormalization",
            image(4, 3, 5),
            *(constant(4, seed=s, low=low) for s, low in ((o, -1), (o + 1, -1), (o + 2, -1), (o + 3, 0.1))),
            opset=o,
            results=r,
            epsilon=0.01,
            **m,
        )
        for o, r, m in ((7, 5, {}), (9, 5, {}), (14, 3, {"training_mode": 1}), (15, 3, {"training_mode": 1}))
    ),
    *(
        case("InstanceNormalization", image(4, 3, 5), constant(4), constant(4, seed=1), epsilon=eps)
        for eps in (1e-5, 0.1)
    ),
    *(
        case("LayerNormalization", image(4, 3, 5), constant(*shape), bias, axis=axis, **more)
        for axis, shape in ((-1, (5,)), (3, (5,)), (2, (3, 5)), (1, (4, 3, 5)), (-2, (3, 5)))
        for bias in (None, constant(*shape, seed=1))
        for more in ({}, {"epsilon": 0.1})
    ),
    case(
        "LayerNormalization",
        image(4, 3, 5),
        constant(5),
        constant(5, seed=1),
        results=3,
        read=(0, 1, 2),
        refused="only the first is supported",
    ),
    *(
        case("LpPool", image(3, 6, 6), kernel_shape=[2, 3], p=p, opset=18, **more)
        for p in (1, 2, 3)
        for more in (
            {},
            {"pads": [1, 1, 0, 1]},
            {"strides": [2, 2], "ceil_mode": 1},
            {"auto_pad": "SAME_LOWER"},
            {"dilations": [2, 2]},
        )
    ),
    *(case("GlobalLpPool", image(3, 6, 6), p=p) for p in (1, 2)),
]
CASES = AVERAGE + MAXIMUM + OTHERS
