"""The operators of the default domain that may occur, and the limits of their attributes, as data."""

from __future__ import annotations

OPERATORS = frozenset(
    """
    Abs Add And ArgMax AveragePool BatchNormalization Cast CastLike Ceil Clip Concat Constant ConstantOfShape
    Conv Cos DepthToSpace Div Dropout Elu Equal Erf Exp Expand Flatten Floor Gather Gelu Gemm GlobalAveragePool
    GlobalMaxPool Greater GreaterOrEqual HardSigmoid HardSwish Identity LayerNormalization LeakyRelu Less
    LessOrEqual Log LogSoftmax MatMul Max MaxPool Mean Min Mish Mod Mul Neg Not Or PRelu Pad Pow Range
    Reciprocal ReduceL2 ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Resize Round Selu Shape Sigmoid
    Sign Sin Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh Transpose
    Unsqueeze Where Xor
    """.split()
)
"""What is read. Control flow, random numbers, and results whose size is known only when they are computed are not."""

ONLY_FOLDED = frozenset({"ConstantOfShape", "Range", "Size"})
"""Operators that `mnv2c.from_onnx.fold` must have evaluated before the network is compiled."""

DOMAINS = frozenset({"", "ai.onnx"})

UNREAD: dict[tuple[str, str], int | bytes] = {
    ("Resize", "antialias"): 0,
    ("Resize", "keep_aspect_ratio_policy"): b"stretch",
}
"""The only value of attributes that nothing behind `mnv2c.from_onnx` looks at: another would be ignored."""

SMALLEST: dict[str, int] = {"strides": 1, "dilations": 1, "kernel_shape": 1, "pads": 0, "group": 1}
"""Least value of every element of these attributes."""

UNLIMITED_PADS = frozenset({"Pad"})
"""Operators whose pads may be negative (they crop)."""

MAXIMUM_EXTENT = 1 << 20
"""Most that any attribute of ``SMALLEST`` may be."""
