"""TIR kernels to one object file, without TVM's calling convention and without its run-time library."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnv2c.codegen.inlined import definitions
from mnv2c.errors import TargetError

if TYPE_CHECKING:
    from mnv2c.targets import Target


@dataclass(frozen=True)
class Object:
    """An object file and, on request, LLVM's text of it."""

    content: bytes
    llvm: str


def build_object(functions: Mapping[str, Any], target: Target, *, text: bool = False) -> Object:
    """Compile PrimFuncs with raw pointer parameters, by symbol; with ``text`` also return the LLVM IR."""
    import tvm
    from tvm import tirx

    llvm_target = tvm_target(target)
    complete = {name: _with_inlined(function, target.arch) for name, function in functions.items()}
    module = tirx.transform.BindTarget(llvm_target.with_host(llvm_target))(tvm.IRModule(complete))
    passes = [
        tirx.transform.FlattenBuffer(),
        tirx.transform.StmtSimplify(),
        tirx.transform.LowerTVMBuiltin(),
        tirx.transform.LowerIntrin(),
    ]
    lowered = tvm.transform.Sequential(passes)(module)
    built = tvm.get_global_func("target.build.llvm")(lowered, llvm_target)
    return Object(_object_file(built), built.inspect_source("ll") if text else "")


def _object_file(built: Any) -> bytes:
    """What LLVM writes, kept in memory: on a full disk it would end the process."""
    with os.fdopen(os.memfd_create("kernels.o"), "rb") as file:
        built.write_to_file(f"/proc/self/fd/{file.fileno()}", "o")
        return file.read()


def _with_inlined(function: Any, arch: str) -> Any:
    """Return the kernel together with the functions that it calls."""
    from tvm import ir, tirx

    from mnv2c.kernels.ir import CALLED

    called = function.attrs.get(CALLED)
    if not called:
        return function
    text = ir.StringImm(definitions(str(called).split(), arch))
    body = tirx.AttrStmt(tirx.const(0, "int32"), "pragma_import_llvm", text, function.body)
    return function.with_body(body)


def tvm_target(target: Target) -> Any:
    """Return TVM's target; raises TargetError when this LLVM does not know the CPU, for which it would take any."""
    import tvm
    from tvm.target.codegen import llvm_is_valid_cpu

    if not llvm_is_valid_cpu(target.mcpu, target.llvm_triple):
        raise TargetError(f'target {target.name}: mcpu "{target.mcpu}" is no CPU of {target.arch} that LLVM knows')
    description = {"kind": "llvm", "mtriple": target.llvm_triple, "mcpu": target.mcpu, "mattr": list(target.features)}
    if target.llvm_triple.startswith("arm") and target.llvm_triple.endswith("hf"):
        # TVM says "soft" to LLVM else, whatever the triple says: arguments of expf would lie where libm does not look.
        description["mfloat-abi"] = "hard"
    try:
        return tvm.target.Target(description)
    except Exception as error:  # TVM raises several kinds
        raise TargetError(f"LLVM refuses target {target.name}: {str(error).strip().splitlines()[-1]}") from error


def llvm_version() -> str:
    """The version of TVM's LLVM, as far as TVM tells it: the first number."""
    import tvm

    return str(tvm.get_global_func("target.llvm_version_major")())
