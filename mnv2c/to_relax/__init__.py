"""ONNX to Relax, and the one list of phases that normalises and fuses it."""
