"""One compiler driver and archiver; everything happens in a temporary folder under relative names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mnv2c.common.scratch import no_room, scratch_folder, tells_no_room
from mnv2c.errors import LinkerError
from mnv2c.link.formats import FORMATS
from mnv2c.link.macho import hide_definitions
from mnv2c.link.stubs import Stub
from mnv2c.link.tool import run_tool
from mnv2c.targets.systems import LINUX, System

COMPILE_FLAGS = (
    "-std=c99", "-O2", "-Wall", "-Wextra", "-fPIC", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections",
    "-fno-sanitize=undefined", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-U_FORTIFY_SOURCE", "-g0",
)  # fmt: skip
"""For generated C. No CPU is named: the CPU check has to run on the baseline of the architecture.

Without debug information, which would name the temporary folder, equal inputs give equal bytes."""

BLOB_ALIGNMENT = 64


@dataclass(frozen=True)
class Linked:
    """The two forms of a library, as bytes of the files."""

    shared: bytes
    archive: bytes


@dataclass(frozen=True)
class Linker:
    """A C compiler driver for one target: its command, its archiver, and what it calls itself.

    ``libraries`` ends the command that links a shared library, together with ``stubs``, which are made for it, and
    ``thread_libraries`` where it uses threads; ``run_time`` ends the one that links a program without them;
    ``environment`` is added to that of this process; ``system`` is what the libraries are for.
    """

    compiler: tuple[str, ...]
    archiver: tuple[str, ...]
    version: str
    libraries: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    system: System = LINUX
    stubs: tuple[Stub, ...] = ()
    thread_libraries: tuple[str, ...] = ()
    run_time: tuple[str, ...] = ()

    def link(
        self,
        name: str,
        *,
        sources: Mapping[str, str],
        objects: Mapping[str, bytes],
        blobs: Mapping[str, bytes],
        exports: Sequence[str],
        abi: int,
        threads: bool = False,
    ) -> Linked:
        """Build the shared library, which calls itself ``system.shared_file(name, abi)``, and ``libNAME.a``.

        ``sources`` are C files and headers by file name, ``objects`` object files, ``blobs`` read-only data by symbol
        (hidden, 64-byte aligned); ``exports`` is all that the shared library exports. With ``threads`` it may use POSIX
        threads. LinkerError if a tool fails.
        """
        with scratch_folder("link") as folder:
            for file, text in sources.items():
                (folder / file).write_text(text, encoding="utf-8")
            for file, content in objects.items():
                private = self.system.object_format == "Mach-O"
                (folder / file).write_bytes(hide_definitions(content) if private else content)
            members = [self._compile(folder, file) for file in sources if file.endswith(".c")]
            members += [self._embed(folder, symbol, content) for symbol, content in blobs.items()]
            members += list(objects)
            archive = f"lib{name}.a"
            self._run(folder, archive, (*self.archiver, "rcsD", archive, *members))
            shared = self._shared(folder, name, members, exports, abi, self.thread_libraries if threads else ())
            return Linked(shared.read_bytes(), (folder / archive).read_bytes())

    def _shared(
        self, folder: Path, name: str, members: Sequence[str], exports: Sequence[str], abi: int, more: Sequence[str]
    ) -> Path:
        form, file = FORMATS[self.system.object_format], self.system.shared_file(name, abi)
        (folder / "exports").write_text(form.export_list(exports), encoding="ascii")
        libraries = [*self.libraries, *more, *(self._stub(folder, stub) for stub in self.stubs)]
        flags = form.flags(self.system.own_name(name, abi), abi, "exports")
        self._run(folder, file, (*self.compiler, *flags, *members, *libraries, "-o", file))
        return folder / file

    def _stub(self, folder: Path, stub: Stub) -> str:
        """Make a stand-in for a library; it never leaves the folder."""
        (folder / f"{stub.file}.S").write_text(stub.assembly, encoding="ascii")
        flags = ("-shared", "-nostdlib", "-g0", f"-Wl,-soname,{stub.file}")
        self._run(folder, stub.file, (*self.compiler, *flags, f"{stub.file}.S", "-o", stub.file))
        return stub.file

    def executable(self, sources: Mapping[str, str], archives: Sequence[Path], flags: Sequence[str]) -> bytes:
        """Build a program from C files, headers and archives; LinkerError if the compiler fails."""
        with scratch_folder("link") as folder:
            for file, text in sources.items():
                (folder / file).write_text(text, encoding="utf-8")
            inputs = [file for file in sources if file.endswith(".c")]
            inputs += [str(archive.resolve()) for archive in archives]
            self._run(folder, "program", (*self.compiler, "-O2", *flags, *inputs, *self.run_time, "-o", "program"))
            return (folder / "program").read_bytes()

    def build(self, files: Mapping[str, bytes], flags: Sequence[str], made: str) -> bytes:
        """Run the compiler once, with all ``files`` beside each other, and return the file ``made``; LinkerError.

        C files, assembly and objects are its inputs; the others are there to be included.
        """
        with scratch_folder("link") as folder:
            for file, content in files.items():
                (folder / file).write_bytes(content)
            inputs = [file for file in files if Path(file).suffix in (".c", ".S", ".o")]
            self._run(folder, made, (*self.compiler, *flags, *inputs, *self.run_time, "-o", made))
            return (folder / made).read_bytes()

    def _compile(self, folder: Path, source: str) -> str:
        made = f"{source.rsplit('.', 1)[0]}.o"
        self._run(folder, source, (*self.compiler, *COMPILE_FLAGS, "-c", source, "-o", made))
        return made

    def _embed(self, folder: Path, symbol: str, content: bytes) -> str:
        data = f"{symbol}.bin"
        (folder / data).write_bytes(content)
        text = FORMATS[self.system.object_format].blob.format(
            name=symbol, symbol=symbol, file=data, alignment=BLOB_ALIGNMENT, digest=sha256(content).hexdigest()
        )
        (folder / f"{symbol}.S").write_text(text, encoding="ascii")
        self._run(folder, f"{symbol}.S", (*self.compiler, "-g0", "-c", f"{symbol}.S", "-o", f"{symbol}.o"))
        return f"{symbol}.o"

    def _run(self, folder: Path, made: str, command: Sequence[str]) -> None:
        environment = {**os.environ, **dict(self.environment), "LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"}
        if self.environment:
            # A cache of its own that goes with the folder: otherwise every compile would leave its weights in there.
            environment["ZIG_LOCAL_CACHE_DIR"] = str(folder / "zig-cache")
        try:
            done = run_tool(command, environment, folder)
        except OSError as error:
            raise LinkerError(f"{command[0]}: cannot be run: {error.strerror}") from error
        if done.returncode != 0:
            if tells_no_room(done.stderr):
                raise no_room()
            raise LinkerError(f"{Path(command[0]).name} failed on {made}: {first_error(done.stderr or done.stdout)}")


def first_error(output: str) -> str:
    """The line of a compiler's output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for sign in ("error:", "undefined", "error"):
        for line in lines:
            if sign in line.lower() and not line.startswith("collect2:"):
                return line
    return lines[0] if lines else "no message"
