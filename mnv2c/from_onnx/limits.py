"""Every limit of what is read of an ONNX file, as data. What is over one is refused before it costs time or memory."""

from __future__ import annotations

MAXIMUM_BYTES = 1_000_000_000
"""Of the file and its external data; far more than any network for a CPU, far less than fills a memory."""

MAXIMUM_STRUCTURE_BYTES = 1 << 24
"""Of a file without its weights. Protobuf makes some forty bytes of two, so that more would fill a memory; exporters
write less than a tenth of it for the largest networks, call stacks of the source code included."""

MAXIMUM_FIELDS = 1_000_000
"""Fields of the structure that are looked at one by one, a second's work; 20,000 nodes have about 200,000."""

MAXIMUM_NODES = 20_000
"""After functions are inlined. The largest networks that people run on CPUs have 5,000; every pass visits each."""

MAXIMUM_PORTS = 256
"""Inputs, and outputs: each is an argument of the C function. The largest detectors have a dozen outputs."""

MAXIMUM_NAME = 1_000
"""Letters of a name: inlining a function writes the names of its caller into every copy, and errors and metadata show
them. Exporters join the names of nested modules to about 200."""

MAXIMUM_PORT_NAME = 200
"""Letters of the name of an input or output, which C comments, strings and HTML pages show whole."""

MAXIMUM_CALL_DEPTH = 64
"""Functions within functions; the C++ code that inlines them recurses. Exporters nest modules up to 10 deep."""

MAXIMUM_INLINED_BYTES = 1 << 28
"""Of a model whose functions are inlined: a function of megabytes that is called a thousand times is gigabytes."""

MAXIMUM_RANK = 8
"""Dimensions of a tensor. Networks for pictures have 4, attention 5, shuffled channels 5 or 6."""

MAXIMUM_ELEMENTS = 1 << 26
"""Elements of one tensor: 256 MB of float32, sixteen maps of a 4K picture at half size; also keeps every index of a
kernel far within 32 bits, and the product of two extents within 64."""

MAXIMUM_TOTAL_ELEMENTS = 1 << 31
"""Elements of all tensors that are computed, together: seconds of moving memory in the reference run of a compile.
MobileNetV2 has 7 million, DeepLabv3 on ResNet-101 at 513 pixels about 500 million."""

MAXIMUM_MADDS = 1 << 40
"""Multiply-adds of one run, half a minute of a core: MobileNetV2 has 0.3 thousand million, the largest segmenters of
pictures of a megapixel 500 thousand million."""

MAXIMUM_WINDOW = 1 << 10
"""Extent of a convolution's or pooling's window, and its stride, dilation and padding; no picture has use for more,
and a padding alone makes a tensor of gigabytes of an input of one pixel."""

MAXIMUM_EXTENT = 1 << 26
"""Of one dimension, and of every number that becomes one (operands of Reshape, Expand, Tile, Resize, Pad): two of
them multiplied stay within 64 bits, so that nothing that is inferred from them is wrapped around."""

MAXIMUM_FOLDED_ELEMENTS = 4096
"""Elements of a value that is computed while reading: sizes and paddings have a few, weights are never touched."""

MAXIMUM_FOLDED_NODES = 5_000
"""Nodes that are computed while reading, at about half a millisecond each; exporters write some ten per resize."""
