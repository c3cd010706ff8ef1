"""The same network under other names: what a file may call its tensors, the worst of it first."""

from __future__ import annotations

from random import Random

import onnx

LABELS = (
    "dense", "head", "pool", "stem", "stem_bottleneck_01", "bottleneck_02", "bottleneck_03", "bottleneck_02_to_03",
    "convolution", "dense_02", "dense.side_0", "bottleneck_03.side_0", "placement", "fallback_softmax", "scratch_0_0",
)  # fmt: skip
"""What the compiler calls steps and buffers."""

OTHERS = (
    "input", "output", "inputs", "outputs", "input_0", "result_0", "lv", "lv1", "lv2", "gv", "gv1", "main", "R", "x",
    "int", "context", "arena", "0", "1", "12", "1.2", "a.b", "a_b", "a/b", "a:b", "a b", "a-b", "_", "__", "-", ".",
    "é", "ä", "数", "per%cent %s", "quest??/ion", "name" * 50, "self", "None", "input_1",
    "lv_1", "onnx_0", "onnx_1_a", "nan", "true", "{}", "@{name}", "$x", "a_b_1", "a_b1", "weights", "metadata",
)  # fmt: skip
"""Words of the code behind, names that become the same identifier, and what none can hold."""


def renamed(model: onnx.ModelProto, seed: int, **fixed: str) -> tuple[onnx.ModelProto, dict[str, str]]:
    """A copy whose tensors have names drawn from those above and as many plain ones; also the new names by the old.

    ``fixed`` gives some of the old ones their new name. Nodes have no names, or all the same one.
    """
    random = Random(seed)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    old = [value.name for value in (*graph.input, *graph.initializer)] + [n for node in graph.node for n in node.output]
    outputs = [value.name for value in graph.output]
    free = [name for name in (*LABELS, *OTHERS) if name not in fixed.values()]
    random.shuffle(free)
    free += [f"plain_{index}" for index in range(len(old))]
    names = dict(fixed)
    # Inputs and outputs meet the compiler's own names; the rest takes what is left, in a random order.
    for name in (*(value.name for value in graph.input), *outputs, *random.sample(old, len(old))):
        if name not in names:
            names[name] = free.pop(0)
    for node in graph.node:
        node.name = random.choice(("", "dense", "same"))
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in (*graph.input, *graph.initializer, *graph.output):
        value.name = names[value.name]
    return copy, names
