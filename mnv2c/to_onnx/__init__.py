"""A model description and its weights as an ONNX model. Knows no TVM."""

from mnv2c.to_onnx.emit import IR_VERSION, OPSET, emit, serialize

__all__ = ["IR_VERSION", "OPSET", "emit", "serialize"]
