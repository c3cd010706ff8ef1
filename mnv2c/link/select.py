"""Chooses the compiler driver: zig from its wheel, or what the user names."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.common import files
from mnv2c.common.scratch import temporary_folder
from mnv2c.errors import LinkerError
from mnv2c.link import stubs
from mnv2c.link.linker import Linker, first_error
from mnv2c.link.ndk import find_ndk, ndk_linker
from mnv2c.link.tool import run_tool
from mnv2c.targets.systems import PLATFORMS, Platform

if TYPE_CHECKING:
    from mnv2c.targets import Target

ZIG_LIBRARIES = {
    "Linux": ("-nostdlib", "-lc", "-lm"),
    "Android": ("-nostdlib",),  # zig has nothing of it
    "macOS": ("-nostdlib", "-lSystem"),
}
"""Only the stubs of libc: start files and zig's run-time library are not needed, and take ten seconds to build."""

THREADS = ("-lpthread",)
"""Threads were a library of their own up to glibc 2.33; elsewhere they are in the C library."""

ZIG_STUBS = {"Android": stubs.ANDROID}
"""What is made where zig has no stubs."""

CC_LIBRARIES = {"Linux": ("-nostartfiles", "-lm"), "Android": ("-nostartfiles", "-lm"), "macOS": ()}
"""Nor are a compiler's start files, whose hooks for C++ would show among the library's symbols."""

ARCHITECTURE_NAMES = {"arm64": "aarch64", "armv7l": "arm", "armv7a": "arm", "armv7": "arm"}
"""What compilers call an architecture otherwise."""

LIBC_MARKS = {"musl": "musl", "android": "bionic", "darwin": "libsystem", "macos": "libsystem"}
"""The C library of a compiler by a part of its triple; glibc where there is none of them."""

OLD_GLIBC = "2.17"

INSTALL = "install one with `pip install ziglang==0.17.*`, or name a C compiler with --cc"


def select_linker(target: Target, cc: str | None = None, ndk: str | Path | None = None) -> Linker:
    """The linker for ``target``: ``cc`` (a command, e.g. "aarch64-linux-gnu-gcc"), Android's development kit, or zig.

    The kit is the folder ``ndk``, or that of $ANDROID_NDK_HOME for a target on Android. LinkerError if unusable.
    """
    if cc:
        return _own(target, cc)
    kit = find_ndk(target, ndk)
    return ndk_linker(target, kit, CC_LIBRARIES["Android"]) if kit else _zig(target.platform, target.glibc)


def static_linker(arch: str) -> Linker:
    """Zig for static programs of an architecture, which run on any Linux; LinkerError without zig."""
    return _zig(PLATFORMS[arch, "musl"])


def host_linker() -> Linker:
    """Zig for shared libraries of this machine, for its baseline; LinkerError without zig."""
    libc = "gnu" if platform.libc_ver()[0] == "glibc" else "musl"
    return _zig(PLATFORMS[platform.machine(), libc], OLD_GLIBC)


def zig_program() -> Path | None:
    """The zig executable of the ziglang wheel."""
    spec = find_spec("ziglang")
    if spec is None or not spec.submodule_search_locations:
        return None
    program = Path(spec.submodule_search_locations[0]) / "zig"
    return program if os.access(program, os.X_OK) else None


def _zig(wanted: Platform, glibc: str = "") -> Linker:
    program = zig_program()
    if program is None:
        raise LinkerError(f"no linker: the Python package ziglang is missing; {INSTALL}")
    environment = {"ZIG_GLOBAL_CACHE_DIR": str(cache_folder("zig"))}
    version = tool_output([str(program), "version"], environment)
    return Linker(
        compiler=(str(program), "cc", "-target", wanted.zig.format(glibc=glibc), *wanted.zig_flags),
        archiver=(str(program), "ar"),
        version=f"zig {version}",
        libraries=(*ZIG_LIBRARIES[wanted.system.name], *wanted.run_time),
        run_time=wanted.run_time,
        environment=tuple(environment.items()),
        system=wanted.system,
        stubs=ZIG_STUBS.get(wanted.system.name, ()),
        thread_libraries=THREADS if "gnu" in wanted.triple else (),
    )


def _own(target: Target, cc: str) -> Linker:
    command = shlex.split(cc)
    program = shutil.which(command[0]) if command else None
    if program is None:
        raise LinkerError(f'--cc "{cc}": not found; install it, or leave --cc out to use zig')
    compiler = (program, *command[1:])
    machine = tool_output([*compiler, "-dumpmachine"], {})
    if not _fits(machine, target):
        raise LinkerError(f'--cc "{cc}": compiles for {machine}, but the target {target.name} is {target.triple}')
    version = tool_output([*compiler, "--version"], {}).splitlines()[0]
    system = target.platform.system
    threads = THREADS if target.libc == "gnu" else ()
    return Linker(
        compiler, _archiver(Path(program)), version, CC_LIBRARIES[system.name], system=system, thread_libraries=threads
    )


def _fits(machine: str, target: Target) -> bool:
    """Whether a compiler for ``machine`` makes code for the target: architecture, C library, how floats are passed."""
    arch = machine.split("-")[0]
    libc = next((libc for mark, libc in LIBC_MARKS.items() if mark in machine), "gnu")
    hard = target.arch != "arm" or machine.endswith("hf")
    return ARCHITECTURE_NAMES.get(arch, arch) == target.arch and libc == target.libc and hard


def _archiver(compiler: Path) -> tuple[str, ...]:
    """``ar`` of the same family: beside the compiler under the same prefix, the system's, or zig's."""
    prefix = compiler.name.rsplit("-", 1)[0] + "-" if "-" in compiler.name else ""
    for name in dict.fromkeys((f"{prefix}ar", "llvm-ar", "ar")):
        beside = compiler.with_name(name)
        found = str(beside) if os.access(beside, os.X_OK) else shutil.which(name)
        if found:
            return (found,)
    zig = zig_program()
    if zig is None:
        raise LinkerError(f"no ar beside {compiler}; install binutils, or leave --cc out to use zig")
    return (str(zig), "ar")


def tool_output(command: list[str], environment: dict[str, str]) -> str:
    """What a tool prints about itself; LinkerError if it does not run."""
    try:
        done = run_tool(command, {**os.environ, **environment})
    except OSError as error:
        raise LinkerError(f"{command[0]}: cannot be run: {error.strerror}; {INSTALL}") from error
    if done.returncode != 0 or not done.stdout.strip():
        raise LinkerError(f"{command[0]}: does not work: {first_error(done.stderr)}; {INSTALL}")
    return done.stdout.strip()


def cache_folder(name: str) -> Path:
    """A writable folder ``name`` of this user's own for what is built once: in the user's cache, else a temporary one.

    LinkerError where neither can be written.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    base = given if os.path.isabs(given) else os.path.expanduser("~/.cache")
    folders = [Path(base) / "mnv2c" / name] if os.path.isabs(base) else []  # a user without a home keeps the "~"
    for folder in (*folders, temporary_folder() / f"mnv2c-{name}-{os.getuid()}"):
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_uid != os.getuid():
                continue  # somebody else's folder under our name: what lies in there is not to be used
            files.probe(folder)
            return folder
        except OSError:
            continue
    raise LinkerError(f"{base}: no folder for mnv2c's cache can be written; set XDG_CACHE_HOME")
