"""Operators that work element by element."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from tests.operators.case import Port, case, constant, image

X, Y = image(3, 4, 5, low=-4, high=4), image(3, 4, 5, low=-4, high=4)
I32, J32 = Port((2, 7), "int32", -9, 9), Port((2, 7), "int32", 1, 5)
I64, J64 = Port((2, 7), "int64", -9, 9), Port((2, 7), "int64", 1, 5)
U8, V8 = Port((2, 7), "uint8", 0, 255), Port((2, 7), "uint8", 1, 5)

NAMES = """
    Abs Ceil Cos Elu Erf Exp Floor HardSigmoid HardSwish Identity LeakyRelu Neg Relu Round Selu Sigmoid Sign Sin
    Softplus Softsign Tanh Atan Sinh Cosh Asinh
"""
UNARY = [case(name, X) for name in NAMES.split()]
UNARY += [case(name, image(3, 4, positive=True)) for name in ("Log", "Sqrt", "Reciprocal", "Tan")]
UNARY += [
    case("Gelu", X, opset=20),
    case("Gelu", X, opset=20, approximate="tanh"),
    case("Gelu", X, opset=20, approximate="none"),
    case("Mish", X, opset=18),
    case("LeakyRelu", X, alpha=0.3),
    case("LeakyRelu", X, alpha=-0.3),
    case("LeakyRelu", X, alpha=0.0),
    case("Elu", X, alpha=0.4),
    case("Elu", X, alpha=-0.4),
    case("Selu", X, alpha=1.5, gamma=0.7),
    case("HardSigmoid", X, alpha=0.4, beta=0.1),
    case("HardSigmoid", X, alpha=-0.4, beta=0.1),
    case("HardSigmoid", X, beta=-0.1),
    case("ThresholdedRelu", X, alpha=0.5),
    case("Shrink", X, lambd=0.7, bias=0.2),
    case("HardSigmoid", X, opset=7),
    case("Relu", I32, opset=14),
    case("Abs", I32),
    case("Abs", I64),
    case("Neg", I32),
    case("Neg", I64),
    case("Sign", I32),
    case("Sign", I64),
    case("Abs", U8),
    case("Sign", U8),
    case("Selu", X, opset=7),
    case("Elu", X, opset=7),
    case("LeakyRelu", X, opset=7),
    case("Dropout", X),
    case("Dropout", X, results=2),
    case("Dropout", X, opset=7),
    case("Dropout", X, opset=11, ratio=0.4),
]
BINARY = [case(name, X, Y) for name in "Add Sub Mul Max Min Mean Sum".split()]
BINARY += [
    case("Div", X, Port((1, 3, 4, 5), positive=True)),
    case("Pow", Port((2, 7), positive=True), Port((2, 7), low=-2, high=2)),
    *(case(name, Port((24,), low=-4, high=4, halves=True)) for name in ("Round", "Ceil", "Floor", "Sign")),
    case("Pow", X, np.float32(2)),
    case("Pow", X, np.float32(3)),
    case("Pow", X, np.float32(0)),
    case("Pow", X, np.float32(1)),
    case("Pow", X, np.float32(-1)),
    case("Pow", Port((2, 7), positive=True), np.float32(0.5)),
    case("Pow", X, np.int64(2)),
    case("Pow", X, np.int32(3)),
    case("Pow", I32, np.int32(2), opset=15),
    case("Pow", I64, np.int64(3), opset=15),
    case("Pow", I32, np.float32(2), opset=15),
    case("Pow", I32, np.float32(2.5), opset=15, refused="cast the base to float"),
    case("Pow", Port((2, 7), positive=True), Port((2, 7), "int64", 0, 3)),
    case("Pow", X, np.int64(2), opset=13),
    case("Pow", X, np.float64(2), opset=13),
]
for left, right in ((I32, J32), (I64, J64), (U8, V8)):
    BINARY += [case(name, left, right, opset=14) for name in ("Add", "Sub", "Mul", "Max", "Min")]
BINARY += [
    case("Mod", I32, np.array([3, -3, 2, -2, 5, -5, 7], np.int32)),
    case("Mod", I64, np.array([3, -3, 2, -2, 5, -5, 7])),
    case("Mod", I32, np.array([3, -3, 2, -2, 5, -5, 7], np.int32), fmod=1),
    case("Mod", X, Port((1, 3, 4, 5), positive=True), fmod=1),
    case("Mod", X, np.float32(-1.5), fmod=1),
    case("Mod", I64, np.array([3, -3, 2, -2, 5, -5, 7]), fmod=1),
    case("Div", I32, np.array([3, -3, 2, -2, 5, -5, 7], np.int32)),
    case("Div", I64, np.array([3, -3, 2, -2, 5, -5, 7])),
    case("Div", np.float32(2), Port((4,), positive=True)),
]
BINARY += [
    case(name, X, operand)
    for name in ("Add", "Sub", "Mul", "Div", "Max", "Min")
    for operand in (
        np.float32(0.5),
        constant(1),
        constant(5),
        constant(4, 1),
        constant(3, 1, 1),
        constant(1, 3, 4, 5),
        constant(2, 1, 3, 4, 5),
        constant(1, 1, 1, 1),
    )
]
BINARY += [case(name, operand, X) for name in ("Add", "Sub", "Mul") for operand in (np.float32(0.5), constant(3, 1, 1))]
BINARY += [case(name, X, Port((4, 1))) for name in ("Add", "Sub", "Mul", "Max", "Min")]
BINARY += [case(name, X, X, Port((5,))) for name in ("Max", "Min", "Sum", "Mean")] + [
    case(name, X) for name in ("Max", "Min", "Sum", "Mean")
]
BINARY += [case(name, X, Port((4, 5)), np.float32(1), opset=8) for name in ("Max", "Min", "Sum", "Mean")]
BINARY += [
    case("PRelu", X, slope, opset=opset)
    for slope in (
        constant(1),
        constant(3, 1, 1),
        constant(5),
        constant(4, 5),
        constant(1, 3, 1, 1),
        constant(3, 4, 5),
        np.float32(0.2),
    )
    for opset in (9, 16)
]
BINARY += [
    case("PRelu", X, constant(3, 1, 1), opset=7),
    case("PRelu", image(3), constant(3)),
    case("PRelu", X, Port((3, 1, 1))),
]
COMPARISONS = [case(name, I32, J32, opset=16) for name in ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")]
COMPARISONS += [case(name, X, Y, opset=16) for name in ("Greater", "Less", "GreaterOrEqual", "LessOrEqual")]
COMPARISONS += [case(name, X, np.float32(0.25)) for name in ("Greater", "Less", "Equal")] + [
    case(name, I64, np.int64(2)) for name in ("Greater", "Less", "Equal")
]
CLIPS = [
    case("Clip", X, *bounds)
    for bounds in (
        (),
        (np.float32(-1),),
        (None, np.float32(1)),
        (np.float32(-1), np.float32(2)),
        (np.float32(2), np.float32(-1)),
        (np.float32(0), np.float32(6)),
    )
]
CLIPS += [
    case("Clip", X, opset=6 + 1, **bounds) for bounds in ({}, {"min": -1.0}, {"max": 1.0}, {"min": -1.0, "max": 2.0})
]
CLIPS += [
    case("Clip", I32, np.int32(-2), np.int32(4)),
    case("Clip", U8, np.uint8(3), np.uint8(40)),
    case("Clip", I64, np.int64(-2), None),
    case("Clip", X, Port((), low=-1, high=0), Port((), low=0.5, high=1)),
    case("Clip", X, opset=11),
    case("Clip", X, np.float32(-1), np.float32(1), opset=11),
]
FLOATS = Port((3, 8), low=-300, high=300)
CASTS = [
    case("Cast", FLOATS, to=kind)
    for kind in (TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT, TensorProto.BOOL)
]
CASTS += [
    case("Cast", Port((3, 8), low=0, high=255), to=TensorProto.UINT8),
    case("Cast", Port((3, 8), low=-128, high=127), to=TensorProto.INT8),
    case("Cast", FLOATS, to=TensorProto.UINT8),
    case("Cast", FLOATS, to=TensorProto.INT8),
]
CASTS += [
    case("Cast", source, to=kind)
    for source in (I32, I64, U8, Port((3, 8), "int32", -70000, 70000))
    for kind in (
        TensorProto.INT32,
        TensorProto.INT64,
        TensorProto.FLOAT,
        TensorProto.BOOL,
        TensorProto.UINT8,
        TensorProto.INT8,
    )
]
CASTS += [
    case("CastLike", X, np.int64(0)),
    case("CastLike", I64, np.float32(0)),
    case("Cast", X, to=TensorProto.INT32, opset=7),
]
WHERE = [
    case("Where", np.array([True, False, True, False, True]), X, Y),
    case("Where", np.array([[[True]], [[False]], [[True]]]), X, np.float32(7)),
    case("Where", np.array([True, False, True, False, True]), np.float32(1), X),
    case("Where", np.array([True, False] * 3 + [True]), I64, np.int64(3)),
    case("Where", np.array([True, False] * 3 + [True]), I32, J32),
]
TRUE, ALSO, ROW = Port((3, 5), truth=True), Port((3, 5), truth=True), Port((5,), truth=True)
TRUTHS = [case(name, TRUE, other) for name in ("And", "Or", "Xor", "Equal") for other in (ALSO, ROW)]
TRUTHS += [case("Not", TRUE), case("IsNaN", Port((3, 5), special=True)), case("IsInf", Port((3, 5), special=True))]
TRUTHS += [case("IsInf", Port((3, 5), special=True), detect_positive=p, detect_negative=n) for p, n in ((0, 1), (1, 0))]
TRUTHS += [case("Where", TRUE, Port((3, 5)), Port((5,)))]
CASES = TRUTHS + UNARY + BINARY + COMPARISONS + CLIPS + CASTS + WHERE
