"""What to do about operators and types that are not read, by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mnv2c.errors import nearest
from mnv2c.from_onnx.naming import quoted
from mnv2c.from_onnx.operators import OPERATORS

if TYPE_CHECKING:
    import onnx

FLOAT32_ONLY = "only float32 files are compiled so far: compile the float32 file that it was made from"

QUANTISED = f"the file is quantised, and {FLOAT32_ONLY}"

KINDS: dict[str, tuple[str, ...]] = {
    "control flow is not supported; export the model by tracing it, or fold constant conditions (onnxsim)": (
        "If",
        "Loop",
        "Scan",
    ),
    "sequences and optional values are not supported; export the model without them": (
        "ConcatFromSequence",
        "Optional",
        "OptionalGetElement",
        "OptionalHasElement",
        "ReverseSequence",
        "SequenceAt",
        "SequenceConstruct",
        "SequenceEmpty",
        "SequenceErase",
        "SequenceInsert",
        "SequenceLength",
        "SequenceMap",
        "SplitToSequence",
    ),
    "strings are not supported; export the model without them": (
        "RegexFullMatch",
        "StringConcat",
        "StringNormalizer",
        "StringSplit",
        "TfIdfVectorizer",
    ),
    "its result is random; export the model for inference": (
        "Bernoulli",
        "Multinomial",
        "RandomNormal",
        "RandomNormalLike",
        "RandomUniform",
        "RandomUniformLike",
    ),
    "the size of its result is only known when it has run; export the model up to the operator before it": (
        "Compress",
        "NonZero",
        "Unique",
    ),
    "export the raw heads, boxes and scores, and suppress in the application": ("NonMaxSuppression",),
    "recurrent networks are not supported": ("GRU", "LSTM", "RNN"),
    QUANTISED: (
        "ConvInteger",
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "QuantizeLinear",
    ),
}
"""Operators of the default domain by what to do about them."""

DOMAINS: dict[str, str] = {
    "com.microsoft": "onnxruntime writes it when it saves an optimised model: save it at level ORT_ENABLE_BASIC, or "
    "compile the file that it was made from",
    "com.microsoft.nchwc": "onnxruntime writes it for one CPU when it saves an optimised model: save it at level "
    "ORT_ENABLE_BASIC, or compile the file that it was made from",
    "ai.onnx.ml": "it belongs to decision trees and their like; export the network alone",
    "ai.onnx.preview.training": "it belongs to training; export the model for inference",
    "ai.onnx.training": "it belongs to training; export the model for inference",
    "org.pytorch.aten": "the exporter left an operator of PyTorch as it was; export the model with a higher opset",
}
"""What to do about an operator of another domain."""


def of_operator(operator: str) -> str:
    """Return why an operator of the default domain is not read, and what to do."""
    for remedy, operators in KINDS.items():
        if operator in operators:
            return remedy
    from onnx import defs

    known = defs.has(operator)  # no slip of the keyboard, and no similar one does the same
    return "this operator is not supported" + ("" if known else nearest(operator, OPERATORS))


def of_domain(node: onnx.NodeProto) -> str:
    """Return why an operator of another domain is not read, and what to do."""
    quantised = node.domain == "com.microsoft" and ("QLinear" in node.op_type or "Quant" in node.op_type)
    why = QUANTISED if quantised else DOMAINS.get(node.domain, "only standard operators are read")
    return f"is of the domain {quoted(node.domain)}; {why}"


def of_type(kind: str) -> str:
    """Return what to do about a tensor of a type that is not read."""
    if kind in ("FLOAT16", "BFLOAT16") or kind.startswith(("FLOAT8", "FLOAT4")):
        return FLOAT32_ONLY
    if kind in ("INT4", "UINT4", "INT2", "UINT2", "INT16", "UINT16"):
        return QUANTISED
    return {
        "STRING": "strings are not supported; export the model without them",
        "DOUBLE": "export the model in float32 (of float64 only constants are read that are cast to float32)",
    }.get(kind, "export the model in float32")
