"""The compiler: `mnv2c.compiler.pipeline` has the list of all phases, `compile_model` runs it."""

from mnv2c.compiler.compile import Compiled, compile_model
from mnv2c.compiler.options import CompileOptions, PlanOptions

__all__ = ["CompileOptions", "Compiled", "PlanOptions", "compile_model"]
