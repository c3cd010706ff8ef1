"""Small networks whose heads give all kinds of scores, written in many ways, for the tests of frames' answers."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from mnv2c.frames import Scores


class Head:
    """Collects the nodes behind a small body; every method returns the name of its result."""

    def __init__(self, seed: int, classes: int, opset: int = 17) -> None:
        self.random, self.rng, self.opset, self.classes = Random(seed), np.random.default_rng(seed), opset, classes
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray[Any, Any]] = {}

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        result = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [result], **attributes))
        return result

    def value(self, array: Any, dtype: str = "float32") -> str:
        name = f"c_{len(self.constants)}"
        self.constants[name] = np.asarray(array, dtype)
        return name

    def draw(self, *shape: int, scale: float = 1.0) -> str:
        return self.value(self.rng.uniform(-scale, scale, shape))

    def features(self, channels: int = 8) -> str:
        """A convolution and ReLU6 over the picture of 12x12."""
        product = self.node("Conv", "input", self.draw(channels, 3, 3, 3), self.draw(channels), strides=[2, 2])
        return self.node("Clip", product, self.value(0.0), self.value(6.0))

    def pooled(self) -> str:
        """Features of the whole picture, [1, 8]."""
        return self.node("Flatten", self.node("GlobalAveragePool", self.features()))

    def logits(self) -> str:
        """[1, classes], large enough for unequal probabilities."""
        pooled = self.pooled()
        return self.node("Gemm", pooled, self.draw(self.classes, 8, scale=2.0), self.draw(self.classes), transB=1)

    def summed(self, name: str) -> str:
        if self.opset >= 13:
            return self.node("ReduceSum", name, self.value([-1], "int64"), keepdims=1)
        return self.node("ReduceSum", name, axes=[1], keepdims=1)

    def disguised(self, name: str) -> str:
        """The same numbers behind a few operators that only change the shape, if anything; [1, classes] again."""
        shapes: dict[str, Callable[[str], str]] = {
            "identity": lambda at: self.node("Identity", at),
            "reshape": lambda at: self.node("Reshape", at, self.value([1, -1, 1, 1], "int64")),
            "flatten": lambda at: self.node("Flatten", at),
            "turned": lambda at: self.node("Transpose", self.node("Flatten", at), perm=[1, 0]),
            "cast": lambda at: self.node("Cast", at, to=TensorProto.FLOAT),
            "times one": lambda at: self.node("Mul", at, self.value(1.0)),
            "one times": lambda at: self.node("Mul", self.value([1.0]), at),
            "plus nothing": lambda at: self.node("Add", at, self.value(0.0)),
        }
        for way in self.random.sample(sorted(shapes), self.random.randint(0, 4)):
            name = shapes[way](name)
        return self.node("Reshape", name, self.value([1, self.classes], "int64"))

    def model(self, output: str) -> bytes:
        graph = helper.make_graph(
            self.nodes,
            "head",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 12, 12])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, self.classes])],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        return bytes(made.SerializeToString())


def _softmax(head: Head) -> str:
    """A Softmax, its axis spelled in any way."""
    logits = head.logits()
    axes: list[dict[str, int]] = [{"axis": 1}, {"axis": -1}, {}]
    if head.random.random() < 0.5:
        logits, axes = head.node("Reshape", logits, head.value([1, head.classes, 1, 1], "int64")), [{"axis": 1}]
        axes += [{"axis": -3}] if head.opset >= 13 else [{}]
    return head.node("Softmax", logits, **head.random.choice(axes))


def _written_softmax(head: Head) -> str:
    logits = head.logits()
    if head.random.random() < 0.5:
        logits = head.node("Sub", logits, head.node("ReduceMax", logits, axes=[1], keepdims=1))
    powers = head.node("Exp", logits)
    total = head.summed(powers)
    if head.random.random() < 0.5:
        return head.node("Mul", powers, head.node("Reciprocal", total))
    return head.node("Div", powers, total)


def _log_softmax(head: Head) -> str:
    logits = head.logits()
    how = head.random.choice(("operator", "log", "written"))
    if how == "operator":
        return head.node("LogSoftmax", logits, axis=1)
    if how == "log":
        return head.node("Log", head.node("Softmax", logits, axis=1))
    return head.node("Sub", logits, head.node("Log", head.summed(head.node("Exp", logits))))


def _sigmoid(head: Head) -> str:
    logits = head.logits()
    how = head.random.choice(("operator", "hard", "written", "relu6"))
    if how == "operator":
        return head.node("Sigmoid", logits)
    if how == "hard":
        return head.node("HardSigmoid", logits, alpha=1 / 6)
    if how == "written":
        powers = head.node("Exp", head.node("Neg", logits))
        return head.node("Div", head.value(1.0), head.node("Add", powers, head.value(1.0)))
    cut = head.node("Clip", head.node("Add", logits, head.value(3.0)), head.value(0.0), head.value(6.0))
    return head.node("Mul", cut, head.value(1 / 6))


def _linear(head: Head) -> str:
    """Logits from a Gemm, a MatMul or a 1x1 convolution, perhaps with a temperature."""
    how = head.random.choice(("gemm", "matmul", "conv", "temperature"))
    if how == "gemm":
        return head.logits()
    if how == "temperature":
        return head.node("Div", head.logits(), head.value(1.5))
    if how == "matmul":
        return head.node("Add", head.node("MatMul", head.pooled(), head.draw(8, head.classes)), head.draw(head.classes))
    mean = head.node("GlobalAveragePool", head.features())
    return head.node("Flatten", head.node("Conv", mean, head.draw(head.classes, 8, 1, 1), head.draw(head.classes)))


def _percent(head: Head) -> str:
    return head.node("Mul", head.node("Softmax", head.logits(), axis=-1), head.value(100.0))


def _no_classes(head: Head) -> str:
    """Embeddings: pooled, normalised to length 1 in any way, squashed."""
    how = head.random.choice(("pooled", "unit", "written unit", "tanh", "relu", "normalised"))
    if how == "pooled":
        mean = head.node("GlobalAveragePool", head.features(head.classes))
        return head.node("Flatten", mean)
    embedding = head.logits()
    if how == "unit":
        length = head.node("Sqrt", head.summed(head.node("Mul", embedding, embedding)))
        return head.node("Mul", embedding, head.node("Reciprocal", length))
    if how == "written unit":
        return head.node("Div", embedding, head.node("ReduceL2", embedding, axes=[1], keepdims=1))
    if how == "normalised":
        mean, variance = head.value(np.zeros(head.classes)), head.value(np.ones(head.classes))
        return head.node("BatchNormalization", embedding, head.draw(head.classes), mean, mean, variance)
    return head.node("Tanh" if how == "tanh" else "Relu", embedding)


HEADS: dict[str, tuple[Callable[[Head], str], Scores | None]] = {
    "softmax": (_softmax, Scores.PROBABILITIES),
    "softmax written out": (_written_softmax, Scores.PROBABILITIES),
    "log of softmax": (_log_softmax, Scores.LOG_PROBABILITIES),
    "sigmoid": (_sigmoid, Scores.INDEPENDENT),
    "linear": (_linear, Scores.LOGITS),
    "percent": (_percent, Scores.OWN),
    "no classes": (_no_classes, None),
}
"""By name: what writes the head, and what kind of scores it gives."""


def make(name: str, seed: int, classes: int = 10, opset: int = 17) -> bytes:
    """A model with a head of that name, in one of its many spellings."""
    head = Head(seed, classes, opset)
    return head.model(head.disguised(HEADS[name][0](head)))
