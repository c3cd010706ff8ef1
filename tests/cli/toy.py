"""A library of two steps with kernels in C, to test what runs and verifies libraries without the compiler.

``middle`` is the negated picture, ``logits`` its mean per channel plus a bias from the weights.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mnv2c import package, targets
from mnv2c.codegen.entry import entry_source
from mnv2c.codegen.selftest import expected, selftest_input
from mnv2c.frames import Classes, Frames, Picture, frames_code
from mnv2c.link.select import select_linker
from mnv2c.plan.program import Location, Port, Program, Result, Space, Step

NAME, HEIGHT, WIDTH = "toy", 6, 10
SHAPE = (1, HEIGHT, WIDTH, 3)
BIAS = np.array([0.25, -1.0, 2.0], np.float32)

KERNELS = f"""
#include <stdint.h>
__attribute__((visibility("hidden"))) int32_t toy_negate(const void *from, void *to)
{{
    for (int i = 0; i < {HEIGHT * WIDTH * 3}; ++i) ((float *)to)[i] = -((const float *)from)[i] * FACTOR;
    return 0;
}}
__attribute__((visibility("hidden"))) int32_t toy_mean(const void *from, const void *bias, void *to)
{{
    for (int c = 0; c < 3; ++c) {{
        float sum = 0;
        for (int i = 0; i < {HEIGHT * WIDTH}; ++i) sum += ((const float *)from)[i * 3 + c];
        ((float *)to)[c] = sum / {HEIGHT * WIDTH} + ((const float *)bias)[c];
    }}
    return 0;
}}
"""


def program() -> Program:
    """The two steps."""
    middle = Location(Space.ARENA, 64)
    return Program(
        inputs=(Port("input", SHAPE, "float32", "NHWC"),),
        outputs=(Port("logits", (1, 3), "float32", "same"),),
        steps=(
            Step(
                "negate",
                "toy_negate",
                (Location(Space.INPUT), middle),
                (Result(middle, SHAPE, "float32", "middle"),),
            ),
            Step(
                "mean",
                "toy_mean",
                (middle, Location(Space.WEIGHTS), Location(Space.OUTPUT)),
                (Result(Location(Space.OUTPUT), (1, 3), "float32", "logits", "same"),),
            ),
        ),
        arena_bytes=64 + HEIGHT * WIDTH * 3 * 4,
        weights=BIAS.tobytes(),
    )


def reference() -> onnx.ModelProto:
    """The same network in ONNX."""
    nodes = [
        helper.make_node("Transpose", ["input"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("Neg", ["turned"], ["middle"]),
        helper.make_node("ReduceMean", ["middle"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Add", ["mean", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        NAME,
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, SHAPE)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, (1, 3))],
        [numpy_helper.from_array(BIAS, "bias")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def compile_toy(folder: Path, target_name: str = "host", *, factor: str = "1.0", libc: str | None = None) -> Path:
    """Write the library into ``folder``; a ``factor`` (in C) other than 1 makes its first step wrong."""
    target, network = targets.load(target_name, libc=libc), program()
    meta = package.metadata(
        network, NAME, target, summary="toy", dtype="float32", params=3, madds=0, model={}, weights_source="seed 0",
        toolchain={}, chains=[{"name": "negate"}, {"name": "mean"}], fallbacks=[],
    )  # fmt: skip
    scores = -selftest_input(SHAPE).mean(axis=(1, 2)) + BIAS
    code = frames_code(Frames(Picture(HEIGHT, WIDTH), Classes(3)), NAME, [3 * 4])
    meta |= {"functions": list(code.functions)}
    meta |= {"frames": {"answer": code.answer, "workspace_bytes": code.workspace_bytes}}
    header = package.header_source(network, NAME, meta, code.declarations)
    sources = {
        f"{NAME}.c": entry_source(network, NAME, target, [expected(scores)]),
        f"{NAME}.h": header,
        "kernels.c": KERNELS.replace("FACTOR", f"(float)({factor})"),
        **code.sources,
    }
    linked = select_linker(target).link(
        NAME, sources=sources, objects={}, exports=package.exports(NAME, code.functions), abi=package.ABI,
        blobs={f"{NAME}_weights": network.weights, f"{NAME}_json": package.to_json(meta).encode() + b"\0"},
    )  # fmt: skip
    package.write(
        folder,
        {
            f"lib{NAME}.so.{package.ABI}": linked.shared,
            f"lib{NAME}.a": linked.archive,
            f"{NAME}.h": header,
            **code.sources,
            f"{NAME}.json": package.to_json(meta),
            f"{NAME}.onnx": reference().SerializeToString(),
        },
    )
    return folder
