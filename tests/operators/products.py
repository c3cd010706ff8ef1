"""Convolutions, products of matrices, reductions and what follows them."""

from __future__ import annotations

from itertools import product

import numpy as np

from tests.operators.case import Port, case, constant, image, ints

X = image(4, 7, 6)
CONVOLUTIONS = [
    case("Conv", X, constant(6, 4, *k), *b, **more)
    for k in ((3, 3), (2, 3), (1, 1), (5, 1))
    for b in ((), (constant(6),))
    for more in ({}, {"strides": [2, 2]}, {"pads": [1, 0, 2, 1]}, {"dilations": [2, 1], "pads": [2, 2, 2, 2]})
    if k != (5, 1) or "dilations" not in more
]
CONVOLUTIONS += [
    case("Conv", X, constant(8, 2, 3, 3), group=2),
    case("Conv", X, constant(4, 1, 3, 3), group=4, pads=[1, 1, 1, 1]),
    case("Conv", X, constant(8, 1, 3, 3), group=4, pads=[1, 1, 1, 1]),
]
CONVOLUTIONS += [
    case("Conv", image(4, *size), constant(6, 4, 3, 2), auto_pad=auto, strides=[s, s])
    for size in ((7, 6), (8, 9))
    for auto in ("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET")
    for s in (1, 2, 3)
]
CONVOLUTIONS += [
    case("Conv", image(4, 9), constant(6, 4, 3), strides=[2], pads=[1, 0]),
    case("Conv", image(2, 5, 4, 6), constant(3, 2, 2, 3, 2), strides=[2, 1, 1]),
    case("Conv", image(4, 9), constant(6, 4, 3), auto_pad="SAME_LOWER", strides=[2]),
    case("Conv", image(2, 5, 4, 6), constant(3, 2, 2, 3, 2), auto_pad="SAME_UPPER"),
]
T = image(4, 5, 6)
TRANSPOSED = [
    case("ConvTranspose", T, constant(4, 3, 3, 2), *b, **more)
    for b in ((), (constant(3),))
    for more in (
        {},
        {"strides": [2, 2]},
        {"strides": [2, 3], "pads": [1, 0, 2, 1]},
        {"strides": [2, 2], "output_padding": [1, 1]},
        {"strides": [2, 2], "output_padding": [1, 0], "pads": [1, 1, 0, 0]},
        {"dilations": [2, 2]},
        {"dilations": [2, 3], "strides": [3, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
        {"strides": [2, 2], "auto_pad": "SAME_LOWER"},
        {"strides": [3, 3], "auto_pad": "SAME_UPPER"},
        {"auto_pad": "SAME_UPPER"},
        {"auto_pad": "VALID", "strides": [2, 2]},
        {"strides": [2, 2], "output_shape": [10, 12]},
        {"strides": [2, 2], "output_shape": [9, 11]},
        {"strides": [2, 2], "output_shape": [12, 13]},
        {"strides": [2, 2], "output_shape": [9, 11], "auto_pad": "SAME_UPPER"},
        {"strides": [2, 2], "output_shape": [9, 12], "auto_pad": "SAME_LOWER"},
    )
]
TRANSPOSED += [
    case("ConvTranspose", T, constant(4, 3, 2, 2), group=2, strides=[2, 2]),
    case("ConvTranspose", T, constant(4, 1, 3, 3), constant(4), group=4, strides=[2, 2], pads=[1, 1, 1, 1]),
    case("ConvTranspose", T, constant(4, 2, 3, 3), group=4, dilations=[2, 2]),
    case("ConvTranspose", T, constant(4, 3, 4, 4), strides=[2, 2], pads=[1, 1, 1, 1]),
    case("ConvTranspose", image(4, 5), constant(4, 3, 3), strides=[2]),
    case("ConvTranspose", image(4, 5), constant(4, 3, 3), constant(3), strides=[2], pads=[1, 1], output_padding=[1]),
    case("ConvTranspose", image(2, 3, 4, 3), constant(2, 3, 2, 3, 2), strides=[2, 1, 2]),
    case(
        "ConvTranspose",
        image(2, 3, 4, 3),
        constant(2, 3, 2, 3, 2),
        constant(3),
        strides=[2, 1, 2],
        pads=[1, 1, 0, 0, 1, 1],
    ),
    case("ConvTranspose", T, constant(4, 3, 1, 1)),
    case("ConvTranspose", T, constant(4, 3, 2, 2), strides=[3, 3], output_padding=[2, 1]),
    case("ConvTranspose", T, constant(4, 3, 3, 3), strides=[1, 1], pads=[2, 2, 2, 2]),
    case("ConvTranspose", T, constant(4, 3, 1, 1), strides=[2, 2]),
    case("ConvTranspose", image(1, 5, 6), Port((1, 3, 2, 2)), strides=[2, 2], refused="export it with constant ones"),
]
A = Port((3, 5))
GEMMS = [
    case(
        "Gemm",
        Port((5, 3)) if ta else A,
        constant(4, 5) if tb else constant(5, 4),
        *c,
        transA=ta,
        transB=tb,
        alpha=al,
        beta=be,
    )
    for ta, tb in product((0, 1), (0, 1))
    for c in ((), (constant(4),), (constant(3, 1),), (np.float32(0.7),), (constant(3, 4),), (constant(1, 4),))
    for al, be in ((1.0, 1.0), (0.5, 2.0))
]
GEMMS += [
    case("Gemm", A, Port((5, 4)), Port((4,)), alpha=0.5, beta=2.0),
    case("Gemm", A, Port((4, 5)), transB=1),
    case("Gemm", image(5), constant(4, 5), constant(4), transB=1, opset=9),
    case("Gemm", image(5), constant(5, 4), constant(4), opset=7),
    case("Gemm", A, constant(5, 4), constant(4), beta=0.0),
    case("Gemm", A, constant(5, 4), constant(4), alpha=0.0),
    case("Gemm", Port((5, 1)), constant(5, 4), constant(4), transA=1),
    case("Gemm", image(5), constant(5, 4), constant(1)),
]
MATMULS = [
    case("MatMul", Port(a), constant(*b))
    for a, b in (
        ((3, 5), (5, 4)),
        ((5,), (5, 4)),
        ((3, 5), (5,)),
        ((5,), (5,)),
        ((2, 3, 5), (5, 4)),
        ((2, 3, 5), (2, 5, 4)),
        ((1, 2, 3, 5), (5, 4)),
        ((1, 2, 3, 5), (2, 5, 4)),
        ((1, 3, 5), (2, 1, 5, 4)),
    )
] + [
    case("MatMul", constant(3, 5), Port((5, 4))),
    case("MatMul", Port((3, 5)), Port((5, 4))),
    case("MatMul", Port((2, 3, 5)), Port((2, 5, 4))),
    case("MatMul", constant(3, 7), image(4, 7, 6)),
    case("MatMul", image(4, 7, 6), constant(6, 3)),
    case("MatMul", Port((2, 3), "int32", -5, 5), np.arange(6, dtype=np.int32).reshape(3, 2)),
]
REDUCED = (
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceSum",
    "ReduceL2",
    "ReduceL1",
    "ReduceProd",
    "ReduceSumSquare",
    "ReduceLogSum",
    "ReduceLogSumExp",
)
REDUCTIONS = [
    case(name, Port((1, 4, 7, 6), positive=True), opset=11, **more)
    for name in REDUCED
    for more in (
        {"axes": [2, 3]},
        {"axes": [2, 3], "keepdims": 0},
        {"axes": [1], "keepdims": 0},
        {"axes": [-1]},
        {},
        {"keepdims": 0},
        {"axes": [3, 1]},
    )
]
REDUCTIONS += [
    case(name, X, *axes, opset=18, **more)
    for name in ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceL2")
    for axes, more in (
        ((ints(2, 3),), {}),
        ((ints(-1, -2),), {"keepdims": 0}),
        ((), {"noop_with_empty_axes": 1}),
        ((), {"noop_with_empty_axes": 0}),
        ((), {}),
        ((ints(1),), {"keepdims": 0, "noop_with_empty_axes": 1}),
        ((np.array([], np.int64),), {}),
        ((np.array([], np.int64),), {"noop_with_empty_axes": 1}),
    )
]
REDUCTIONS += [
    case("ReduceSum", X, *axes, opset=13, **more)
    for axes, more in (((ints(2, 3),), {}), ((ints(-1),), {"keepdims": 0}), ((), {"noop_with_empty_axes": 1}), ((), {}))
]
I64, I32 = Port((3, 6), "int64", -9, 9), Port((3, 6), "int32", -9, 9)
REDUCTIONS += [
    case(name, source, axes=[1], opset=12) for name in ("ReduceMax", "ReduceMin", "ReduceSum") for source in (I64, I32)
] + [case("ReduceMean", I32, axes=[1], opset=12, refused="cast it to float32 before")]
REDUCTIONS += [case(name, Port((1, 4, 7, 6), positive=True), opset=18, noop_with_empty_axes=1) for name in REDUCED]
REDUCTIONS += [
    case("ReduceSum", I64, ints(1), opset=13),
    case("ReduceMax", Port((3, 6), "uint8", 0, 255), axes=[0], opset=12),
    case("ReduceMax", I64, ints(0), opset=18),
]
ARGS = [
    case(name, X, opset=13, **more)
    for name in ("ArgMax", "ArgMin")
    for more in ({}, {"axis": 1}, {"axis": 1, "keepdims": 0}, {"axis": -1}, {"axis": 3, "select_last_index": 0})
]
TIED = Port((3, 9), "int32", 0, 2)
ARGS += [
    case(name, TIED, axis=1, opset=opset, select_last_index=last)
    for name in ("ArgMax", "ArgMin")
    for last in (0, 1)
    for opset in (12, 13)
] + [
    case("ArgMax", X, axis=1, opset=7),
    case("ArgMax", X, axis=-1, opset=11),
    case("ArgMax", X, axis=1, select_last_index=1, opset=12),
]
SOFT = [
    case(name, shape, opset=opset, **more)
    for name in ("Softmax", "LogSoftmax")
    for shape in (image(4, 3, 5), Port((2, 7)), image(3, 4))
    for opset in (7, 11, 13)
    for more in ({}, {"axis": 1}, {"axis": -1}, {"axis": 0}, {"axis": len(shape.shape) - 1})
    if not (opset == 7 and more.get("axis") == -1)
]
SOFT += [
    case("Softmax", image(4, 3, 5), axis=2, opset=11),
    case("Softmax", image(4, 3, 5), axis=2, opset=13),
    case("Softmax", image(9, low=-200, high=200)),
    case("LogSoftmax", image(9, low=-200, high=200)),
    case("Hardmax", Port((2, 7)), opset=13),
    case("Softmax", Port((7,)), opset=13),
    case("Softmax", Port((7,)), axis=0, opset=11),
]
CASES = CONVOLUTIONS + TRANSPOSED + GEMMS + MATMULS + REDUCTIONS + ARGS + SOFT
