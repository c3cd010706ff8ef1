"""Digests of what the compiler makes of a fixed matrix of networks: does other code make the same libraries?

    python -m tools.digests write FILE [--all]
    python -m tools.digests compare FILE [--all]

Nearly everything is read from the folder that a compile leaves, so that few changes of the compiler's modules touch
this tool. Symbols, names of sections and debug information do not count: kernels are paired by their first calls.
Digests hold for one version of TVM, whose LLVM makes the code. Those of the C source hold for one kind of CPU, too,
since it has samples of what onnxruntime computed.
"""
