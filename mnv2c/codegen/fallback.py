"""Lower TVM's own operators to kernels of the same kind as the chains': raw pointers, no run-time library.

The schedule is plain: loops as TVM's operator library writes them, vectorised by LLVM where it can. Buffers that do
not fit the stack become scratch parameters, which the arena planner places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mnv2c.errors import CompilerError

STACK_BYTES = 1024
"""TVM keeps smaller allocations on the stack and turns larger ones into calls of its run-time library."""


@dataclass(frozen=True)
class LoweredFallback:
    """A PrimFunc of raw pointers: the operator's arguments, then scratch buffers of ``scratch`` bytes each."""

    symbol: str
    function: Any
    scratch: tuple[int, ...]


def lower_fallback(function: Any, symbol: str, target: Any) -> LoweredFallback:
    """Lower one PrimFunc of TVM's operator library for ``target``."""
    import tvm
    from tvm import ir, tirx
    from tvm_ffi import structural_map

    bound = tirx.transform.BindTarget(target.with_host(target))(tvm.IRModule({"main": function}))
    lowered = tvm.transform.Sequential(_passes())(bound)["main"]
    parameters: list[Any] = []
    declarations: list[Any] = []
    scratch: list[int] = []
    for parameter in lowered.params:
        if not tirx.is_buffer_var(parameter):
            raise CompilerError(f"fallback {symbol} takes the scalar {parameter}, which no plan supplies")
        pointer = tirx.Var(f"{parameter.name}_pointer", tirx.buffer.buffer_data_pointer_type(parameter))
        parameters.append(pointer)
        declarations.append(tirx.DeclBuffer(parameter, data=pointer))

    def hoist(allocation: Any) -> Any:
        buffer = allocation.buffer
        size = _bytes(buffer)
        if size < STACK_BYTES:
            return allocation
        pointer = tirx.Var(f"{buffer.name}_scratch", tirx.buffer.buffer_data_pointer_type(buffer))
        parameters.append(pointer)
        scratch.append(size)
        return tirx.DeclBuffer(buffer, data=pointer)

    body = structural_map(lowered.body, (tirx.AllocBuffer, hoist), order="post")
    body = structural_map(body, (tirx.Max, _larger), order="post")
    body = structural_map(body, (tirx.Min, _smaller), order="post")
    statements = [*declarations, body, tirx.stmt.Return(tirx.const(0, "int32"))]
    raw = tirx.PrimFunc(parameters, tirx.SeqStmt(statements), ir.PrimType("int32"))
    named = raw.with_attr("global_symbol", symbol).with_attr("tirx.noalias", True)
    return LoweredFallback(symbol, named, tuple(scratch))


def _larger(node: Any) -> Any:
    """The larger of two numbers; NaN where one is NaN, as onnxruntime has it. TVM's would be the second operand."""
    return _extreme(node, "llvm.maximum", lambda first, second: first > second)


def _smaller(node: Any) -> Any:
    return _extreme(node, "llvm.minimum", lambda first, second: first < second)


def _extreme(node: Any, intrinsic: str, better: Callable[[Any, Any], Any]) -> Any:
    """Beside a constant a selection that gives the other operand is one instruction everywhere; else LLVM's own."""
    from tvm import tirx

    dtype = str(node.ty.dtype)
    if not dtype.startswith("float"):
        return node
    for constant, other in ((node.a, node.b), (node.b, node.a)):
        if isinstance(getattr(constant, "value", None), tirx.FloatImm) or isinstance(constant, tirx.FloatImm):
            return tirx.Select(better(constant, other), constant, other)
    return tirx.call_llvm_pure_intrin(dtype, intrinsic, node.a, node.b)


def _bytes(buffer: Any) -> int:
    import tvm

    dtype = tvm.DataType(str(buffer.ty.dtype))
    elements = 1
    for extent in buffer.ty.shape:
        elements *= int(extent)
    return int(elements * (dtype.bits * dtype.lanes + 7) // 8)


def _passes() -> list[Any]:
    """TVM's lowering of scheduled TIR, up to but without its packed calling convention."""
    from tvm import s_tir, tirx

    structured, plain = s_tir.transform, tirx.transform
    return [
        structured.CanonicalizeLoop(),
        structured.LowerInitBlock(),
        structured.PlanAndUpdateBufferAllocationLocation(),
        structured.ConvertBlocksToOpaque(),
        structured.CompactBufferAllocation(),
        structured.LowerMatchBuffer(),
        structured.StmtSimplify(),
        structured.LowerOpaqueBlock(),
        plain.FlattenBuffer(),
        plain.NarrowDataType(32),
        structured.LoopPartition(),
        plain.VectorizeLoop(True),
        plain.StorageRewrite(),
        structured.HoistIfThenElse(),
        plain.UnrollLoop(),
        structured.RenormalizeSplitPattern(),
        plain.StmtSimplify(),
        plain.RemoveNoOp(),
        structured.RewriteUnsafeSelect(),
        plain.CommonSubexprElim(),
        plain.VerifyMemory(),
    ]
