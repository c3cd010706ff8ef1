"""Other people's ONNX files: read, checked against every limit, made self-contained and static."""

from mnv2c.from_onnx.read import read_onnx as read_onnx
