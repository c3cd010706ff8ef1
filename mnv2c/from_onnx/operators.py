"""The operators of the default domain that may occur, and the limits of their attributes, as data."""

from __future__ import annotations

OPERATORS = frozenset(
    """
    Abs Add And ArgMax ArgMin Asinh Atan AveragePool BatchNormalization Cast CastLike Ceil
    Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos Cosh DepthToSpace Div Dropout Elu Equal Erf Exp Expand
    Flatten Floor Gather Gelu Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool Greater GreaterOrEqual HardSigmoid
    HardSwish Hardmax Identity InstanceNormalization IsInf IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log
    LogSoftmax LpPool MatMul Max MaxPool Mean Min Mish Mod Mul Neg Not Or PRelu Pad Pow Range Reciprocal ReduceL1
    ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu
    Reshape Resize Round Selu Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth
    Split Sqrt Squeeze Sub Sum Tan Tanh ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Upsample Where Xor
    """.split()
)
"""What is read. Control flow, random numbers, and results whose size is known only when they are computed are not."""

ONLY_FOLDED = frozenset({"ConstantOfShape", "Range"})
"""Operators that `mnv2c.from_onnx.fold` must have evaluated before the network is compiled."""

DOMAINS = frozenset({"", "ai.onnx"})

SMALLEST: dict[str, int] = {"strides": 1, "dilations": 1, "kernel_shape": 1, "pads": 0, "group": 1, "size": 1}
"""Least value of every element of these attributes."""

UNLIMITED_PADS = frozenset({"Pad"})
"""Operators whose pads may be negative (they crop)."""

UNLIMITED = frozenset(
    {("Slice", "starts"), ("Slice", "ends"), ("Dropout", "seed"), ("Constant", "value_int"), ("Constant", "value_ints")}
)
"""Attributes that may be any integer: the end of everything is written as the largest one."""

SHAPE_OPERANDS: dict[str, tuple[int, ...]] = {
    "ConstantOfShape": (0,),
    "Expand": (1,),
    "Pad": (1,),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "Tile": (1,),
    "TopK": (1,),
    "Upsample": (1,),
}
"""Operands, by index, whose numbers become extents, or multiply or lengthen them."""

TRAINING: dict[str, int] = {"Dropout": 2}
"""Operators that compute something random in training, which that operand tells."""
