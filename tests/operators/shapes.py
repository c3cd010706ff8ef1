"""Operators that move, cut, join and look up."""

from __future__ import annotations

import numpy as np

from tests.operators.case import Port, case, constant, image, ints

X = image(4, 6, 5)
I64, I32, U8 = Port((3, 6), "int64", -9, 9), Port((3, 6), "int32", -9, 9), Port((3, 6), "uint8", 0, 255)
Y = Port((2, 3, 4))

PADS = [
    case("Pad", X, ints(*pads), mode=mode, opset=opset)
    for mode in ("constant", "reflect", "edge")
    for pads in (
        (0, 0, 1, 2, 0, 0, 0, 1),
        (0, 0, 0, 0, 0, 1, 2, 0),
        (0, 2, 1, 0, 0, 1, 0, 3),
        (0, 0, -1, 0, 0, 0, -2, 0),
        (0, 0, 1, -2, 0, 0, -1, 2),
        (0, 0, 0, 0, 0, 0, 0, 0),
    )
    for opset in (11, 18)
]
PADS += [
    case("Pad", X, ints(0, 0, 2, 3, 0, 0, 1, 4), mode="wrap", opset=19),
    case("Pad", X, ints(0, 0, 2, 3, 0, 0, 1, 4), np.float32(2.5)),
    case("Pad", X, ints(0, 0, 2, -3, 0, 0, 1, 1), np.float32(2.5)),
    case("Pad", Y, ints(1, 0, 0, 0, 0, 1), np.float32(-1)),
    case("Pad", X, ints(0, 0, 5, 4, 0, 0, 5, 4), mode="reflect"),
    case("Pad", X, ints(0, 0, 7, 9, 0, 0, 8, 9), mode="edge"),
    case("Pad", X, ints(0, 0, 7, 12, 0, 0, 8, 9), mode="wrap", opset=19),
    case("Pad", X, ints(1, 2, 3, 4), None, ints(2, 3), opset=18),
    case("Pad", X, ints(1, 2, 3, 4), np.float32(3), ints(-1, -2), opset=18),
    case("Pad", X, ints(1, 2), None, ints(3), mode="edge", opset=18),
    case("Pad", X, pads=[0, 0, 1, 2, 0, 0, 0, 1], value=2.5, opset=7),
    case("Pad", X, pads=[0, 0, 1, 2, 0, 0, 0, 1], mode="reflect", opset=7),
    case("Pad", X, pads=[0, 0, 1, 2, 0, 0, 0, 1], mode="edge", opset=9),
    case("Pad", X, pads=[0, 0, 1, -2, 0, 0, 0, 1], opset=9),
    case("Pad", I64, ints(1, 1, 0, 2), np.int64(7)),
    case("Pad", I32, ints(1, 1, 0, 2)),
    case("Pad", U8, ints(1, 1, 0, 2), np.uint8(200)),
    case("Pad", I32, ints(1, 1, 0, 2), mode="edge"),
]
SLICES = [
    case("Slice", X, ints(*s), ints(*e), ints(*a) if a else None, ints(*t) if t else None, opset=opset)
    for s, e, a, t in (
        ((0, 1), (1, 3), (), ()),
        ((1,), (4,), (2,), ()),
        ((1,), (6,), (2,), (2,)),
        ((-1,), (-9,), (3,), (-1,)),
        ((-2,), (-5,), (2,), (-2,)),
        ((0, 1), (99, 3), (-1, -2), (3, 1)),
        ((2, 0), (2**62, -1), (2, 3), (1, 2)),
        ((-99,), (99,), (3,), (1,)),
        ((4, 3), (0, -(2**62)), (3, 2), (-2, -1)),
        ((1,), (2,), (1,), ()),
    )
    for opset in (10, 17)
]
SLICES += [
    case("Slice", X, starts=[1, 0], ends=[5, -1], axes=[2, 3], opset=7),
    case("Slice", X, starts=[0, 1], ends=[1, 3], opset=9),
    case("Slice", I64, ints(1), ints(5), ints(1)),
    case("Slice", X, ints(1, dtype="int32"), ints(5, dtype="int32"), ints(2, dtype="int32"), ints(2, dtype="int32")),
]
GATHERS = [
    case("Gather", X, np.array(index), axis=axis)
    for index, axis in (
        (2, 1),
        (-1, 1),
        ([2, 1, 0], 1),
        ([0, -1], 1),
        ([[0, 1], [3, -2]], 1),
        (0, 0),
        ([3, 3, 0], 3),
        ([1], -1),
        (-1, -2),
        ([-5, 4], -1),
        ([[2]], 2),
    )
]
GATHERS += [
    case("Gather", X, np.array([2, 0], np.int32), axis=1),
    case("Gather", constant(5, 3), Port((4,), "int64", 0, 4)),
    case("Gather", constant(5, 3), Port((2, 2), "int32", 0, 4), axis=0),
    case("Gather", constant(5, 3), Port((2,), "int64", -3, 2), axis=1),
    case("Gather", Port((4, 3)), Port((5,), "int64", -4, 3)),
    case("Gather", I64, np.array([5, -1]), axis=1),
    case("Gather", image(3, 4, 4), np.array([2, 1, 0]), axis=1, opset=11),
]
JOINS = [case("Concat", X, X, axis=axis) for axis in (0, 1, 2, 3, -1, -3)] + [
    case("Concat", X, image(2, 6, 5), axis=1),
    case("Concat", X, constant(1, 2, 6, 5), X, axis=1),
    case("Concat", X, axis=1),
    case("Concat", I64, I64, axis=-1),
    case("Concat", U8, U8, axis=0),
    case("Concat", Y, constant(2, 3, 2), axis=2),
]
SPLITS = [
    case("Split", X, ints(1, 3), axis=1, results=2, read=(0, 1)),
    case("Split", X, ints(2, 4), axis=-2, results=2, read=(1,)),
    case("Split", X, axis=1, results=2, read=(0, 1)),
    case("Split", X, axis=1, split=[3, 1], opset=11, results=2, read=(0, 1)),
    case("Split", X, axis=2, opset=7, results=3, read=(0, 1, 2)),
    case("Split", X, axis=3, num_outputs=2, opset=18, results=2, read=(0, 1)),
    case("Split", X, axis=2, num_outputs=4, opset=18, results=4, read=(0, 1, 2)),
    case(
        "Split", X, axis=2, num_outputs=4, opset=18, results=4, read=(0, 1, 2, 3), refused="illegal shape [1, 4, 0, 5]"
    ),
    case("Split", X, ints(5, 0, 1), axis=2, results=3, read=(0, 2)),
    case("Split", X, axis=1, opset=11, results=4, read=(3,)),
    case("Split", X, ints(6), axis=2, results=1),
    case("Split", X, axis=0, results=1, opset=13),
    case("Split", X, axis=2, num_outputs=1, opset=18, results=1),
]
TURNS = [
    case("Transpose", X, perm=perm) for perm in ([0, 2, 3, 1], [0, 3, 1, 2], [3, 2, 1, 0], [0, 1, 3, 2], [2, 0, 1, 3])
] + [case("Transpose", X), case("Transpose", Y), case("Transpose", I64), case("Transpose", U8, perm=[1, 0])]
TURNS += [case("DepthToSpace", image(12, 3, 2), blocksize=b, mode=m) for b, m in ((2, "DCR"), (2, "CRD"))] + [
    case("DepthToSpace", image(18, 3, 2), blocksize=3),
    case("DepthToSpace", image(12, 3, 2), blocksize=2, opset=9),
    case("SpaceToDepth", image(3, 6, 4), blocksize=2),
    case("SpaceToDepth", image(2, 3, 6), blocksize=3),
]
FORMS = [case("Flatten", X, axis=axis) for axis in (0, 1, 2, 3, 4, -1, -2)] + [
    case("Flatten", X),
    case("Flatten", X, opset=7),
    case("Flatten", Port((3,)), axis=0),
    case("Flatten", Port((3,)), axis=1),
]
FORMS += [
    case("Reshape", X, ints(*shape), **more)
    for shape, more in (
        ((1, 2, 2, 30), {}),
        ((0, -1), {}),
        ((-1,), {}),
        ((0, 0, 30), {}),
        ((1, 0, 3, 10), {}),
        ((2, -1, 5), {"allowzero": 1}),
        ((1, 24, 5), {"opset": 7}),
        ((120,), {}),
        ((1, 1, 1, 120), {}),
        ((0, 0, 0, 0), {}),
    )
]
FORMS += [
    case("Squeeze", image(1, 6, 1), axes=[1, 3], opset=11),
    case("Squeeze", image(1, 6, 1), ints(1)),
    case("Squeeze", image(1, 6, 1), ints(-1)),
    case("Squeeze", image(1, 6, 1)),
    case("Squeeze", image(1, 6, 1), opset=11),
    case("Squeeze", image(1, 6, 1), ints(-3, -1)),
    case("Squeeze", image(1, 6, 1), axes=[-1], opset=11),
    case("Unsqueeze", Y, ints(0, -1)),
    case("Unsqueeze", Y, ints(-1, 0)),
    case("Unsqueeze", Y, ints(3, 0)),
    case("Unsqueeze", Y, ints(2)),
    case("Unsqueeze", Y, ints(-2)),
    case("Unsqueeze", Y, axes=[0, 4], opset=11),
    case("Unsqueeze", Y, axes=[-1], opset=11),
    case("Unsqueeze", Y, axes=[-1, 1], opset=11),
]
FORMS += [
    case("Expand", image(4, 1, 5), ints(*shape))
    for shape in ((1, 4, 6, 5), (6, 1), (1,), (3, 1, 4, 1, 5), (1, 1, 1, 1), (2, 1, 1, 1), (7, 5))
] + [
    case("Expand", Port((1,)), ints(4, 3)),
    case("Expand", I64, ints(2, 3, 6)),
    case("Expand", Port((), low=0, high=1), ints(2, 3)),
    case("Expand", image(4, 1, 5), ints(1, 4, 6, 5), opset=8),
]
FORMS += [
    case("Tile", image(4, 3, 5), ints(*reps)) for reps in ((1, 1, 2, 3), (1, 2, 1, 1), (3, 1, 1, 1), (1, 1, 1, 1))
] + [
    case("Tile", I64, ints(2, 2)),
    case("Tile", Port((3,)), ints(4)),
    case("Tile", U8, ints(1, 3)),
    case("Tile", X, ints(1, 1, 2, 1), opset=7),
]
TOPS = [
    case("TopK", image(9), ints(3), results=2, read=(0, 1), **more)
    for more in ({}, {"largest": 0}, {"axis": 1}, {"sorted": 1})
]
TOPS += [
    case("TopK", X, ints(2), axis=axis, results=2, read=(0, 1), largest=most) for axis in (1, 2, -1) for most in (0, 1)
] + [
    case("TopK", Port((3, 20), "int64", 0, 4), ints(7), results=2, read=(0, 1)),
    case("TopK", Port((3, 20), "int64", 0, 4), ints(7), results=2, read=(0, 1), largest=0),
    case("TopK", Port((3, 20), "int32", 0, 4), ints(20), results=2, read=(0, 1)),
    case("TopK", Port((3, 20)), ints(20), results=2, read=(0, 1)),
    case("TopK", Port((3, 20)), ints(4), results=2, read=(0,)),
    case("TopK", Port((3, 20)), ints(4), results=2, read=(1,)),
    case("TopK", Port((3, 20)), ints(4), results=2, read=(0, 1), opset=10),
    case("TopK", Port((3, 20)), k=4, results=2, read=(0, 1), opset=7),
    case("TopK", Port((3, 20)), ints(4), results=2, read=(0, 1), sorted=0, refused="export it with sorted = 1"),
    case("TopK", Port((40,)), ints(1), results=2, read=(0, 1), axis=0),
]
MORE = [case("Trilu", Port((4, 5)), upper=u) for u in (0, 1)] + [
    case("Trilu", Port((2, 4, 5)), np.int64(k), upper=u) for k in (-1, 2) for u in (0, 1)
]
MORE += [
    case("Where", np.array([[True], [False], [True]]), I64, np.int64(2)),
    case("Identity", I64),
    case("Identity", U8),
]
CASES = PADS + SLICES + GATHERS + JOINS + SPLITS + TURNS + FORMS + TOPS + MORE
