"""What the passes share: running a mutator over ``main``, constants as NumPy arrays, static shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import tvm
import tvm_ffi
from tvm import relax
from tvm.ir import GenericConst

from mnv2c.errors import CompilerError, OnnxError

Array = npt.NDArray[Any]

for _error in (CompilerError, OnnxError):  # else a mutator's error comes out of TVM as a RuntimeError
    tvm_ffi.register_error(_error.__name__, _error)


def run_on_main(module: Any, mutator: type) -> Any:
    """Apply a ``PyExprMutator`` class to ``main`` and drop what became dead."""
    rewriter = mutator(module)
    function = rewriter.visit_expr(module["main"])
    rewritten = rewriter.builder_.get().clone()  # with the functions that the mutator added
    rewritten.update_func(rewritten.get_global_var("main"), function)
    tidy = [relax.transform.CanonicalizeBindings(), relax.transform.DeadCodeElimination(["main"])]
    return tvm.transform.Sequential(tidy)(rewritten)


def constant_value(expression: Any) -> Array | None:
    """Return the value of a constant, else None."""
    if not isinstance(expression, GenericConst):
        return None
    value: Array = expression.value.numpy()
    return value


def constant(value: Array) -> Any:
    """Return a Relax constant with the values of ``value``, of its type: ``relax.const`` alone makes 32 bits of 64."""
    return relax.const(np.asarray(value, order="C"), str(value.dtype))


def shape_of(expression: Any) -> tuple[int, ...]:
    """Return the static shape of a tensor expression."""
    return tuple(int(extent) for extent in expression.ty.shape.values)


def is_float32(expression: Any) -> bool:
    """Whether ``expression`` is a float32 tensor, the only kind that chains compute."""
    return str(getattr(expression.ty, "dtype", "")) == "float32"


def is_call(expression: Any, operator: str) -> bool:
    """Whether ``expression`` calls the Relax operator of that name."""
    return isinstance(expression, relax.Call) and getattr(expression.op, "name", None) == operator


def bindings(function: Any) -> list[Any]:
    """Return the bindings of a function's only block, in order."""
    return [binding for block in function.body.blocks for binding in block.bindings]
