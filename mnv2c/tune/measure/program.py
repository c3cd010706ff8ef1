"""Links candidates with the measuring program: one static program without a libc, or one shared library."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.common.data import fill
from mnv2c.common.version import __version__
from mnv2c.link.formats import ELF
from mnv2c.link.select import static_linker
from mnv2c.plan.assemble import pool_bytes
from mnv2c.targets.systems import PLATFORMS
from mnv2c.tune.devices.base import Form
from mnv2c.tune.measure.table import subject_files

if TYPE_CHECKING:
    from mnv2c.plan.chain import Chain
    from mnv2c.targets import Target
    from mnv2c.tune.measure.candidate import Candidate

HERE = Path(__file__).parent / "c"
SYSTEM = tuple(Path(__file__).parents[2] / "runtime" / "c" / name for name in ("call.h", "memory.h", "start.h"))
"""Of any program without a libc: how system calls are made, what compilers call, where it begins."""
POOL = Path(__file__).parents[2] / "codegen" / "threads.c.in"

COMMON = ("bench.c", "machine.c", "measure.c", "rounds.c", "system.c", "text.c")
ENTRY = {Form.EXECUTABLE: "program.c", Form.SHARED: "rpc.c"}
THREADS = ("threads.c",)

FUNCTION = "mnv2c_measure"
"""What TVM calls the function of a shared library."""

COMPILE = (
    "-std=c99", "-O2", "-Wall", "-Wextra", "-fPIC", "-ffreestanding", "-fno-builtin", "-fno-stack-protector",
    "-fno-sanitize=undefined", "-fno-asynchronous-unwind-tables", "-g0", "-nostdlib",
)  # fmt: skip
LINK = {
    Form.EXECUTABLE: ("-static", "-Wl,-S", "-Wl,-z,noexecstack"),
    Form.SHARED: (*(flag for flag in ELF.shared if "max-page-size" not in flag), "-Wl,--version-script=exports"),
}


def static_target(target: Target) -> Target:
    """The same CPU as a platform of Linux without a libc of its own: what is linked here asks for none."""
    return target.with_libc("musl") if (target.arch, "musl") in PLATFORMS else target


def link(
    chain: Chain, target: Target, threads: int, candidates: Sequence[Candidate], expected: Sequence[bytes], form: Form
) -> bytes:
    """The program or library that measures ``candidates``, the default first; LinkerError if a tool fails."""
    files = subject_files(chain, target, threads, candidates, expected)
    files["subject.h"] = (HERE / "subject.h").read_bytes()
    files["system.h"] = (HERE / "system.h").read_bytes()
    files["measure.o"] = _measuring(target.arch, form, threads)
    files |= {f"{candidate.symbol}.o": candidate.machine_code for candidate in candidates}
    files["exports"] = ELF.export_list([f"__tvm_ffi_{FUNCTION}"]).encode()
    return static_linker(target.arch).build(files, (*COMPILE, *LINK[form]), "measure")


@lru_cache(maxsize=4)
def _measuring(arch: str, form: Form, threads: int) -> bytes:
    """All of the program that is the same for every batch, as one object."""
    names = (*COMMON, ENTRY[form], *(THREADS if threads > 1 else ()))
    files = {path.name: path.read_bytes() for path in (*SYSTEM, *HERE.glob("*.h"))}
    files |= {name: (HERE / name).read_bytes() for name in names}
    if threads > 1:
        files["pool.c"] = fill(
            POOL,
            name="measure",
            version=__version__,
            threads=threads,
            pool_bytes=pool_bytes(threads),
            pthread='#include "threads.h"\n#undef HIDDEN',
        ).encode()
    defines = ("-DTHREADS",) if threads > 1 else ()
    shared = ("-DSHARED",) if form is Form.SHARED else ()
    return static_linker(arch).build(files, (*COMPILE, *defines, *shared, "-r"), "measure.o")
