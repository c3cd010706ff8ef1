"""One compiler driver and archiver; everything happens in a temporary folder under relative names."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from mnv2c.errors import LinkerError

COMPILE_FLAGS = (
    "-std=c99", "-O2", "-Wall", "-Wextra", "-fPIC", "-fvisibility=hidden", "-ffunction-sections", "-fdata-sections",
    "-fno-sanitize=undefined", "-fno-asynchronous-unwind-tables", "-U_FORTIFY_SOURCE", "-g0",
)  # fmt: skip
"""For generated C. No CPU is named: the CPU check has to run on the baseline of the architecture.

Without debug information, which would name the temporary folder, equal inputs give equal bytes."""

SHARED_FLAGS = (
    "-shared", "-Wl,--gc-sections", "-Wl,--as-needed", "-Wl,--no-undefined", "-Wl,--hash-style=gnu",
    "-Wl,--build-id=none", "-Wl,-z,relro", "-Wl,-z,now", "-Wl,-z,noexecstack", "-Wl,-z,max-page-size=16384",
    "-Wl,-Bsymbolic", "-Wl,-S",
)  # fmt: skip
"""For the shared library: hardened, reproducible, and loadable on Android's and Apple's 16 KB pages."""

BLOB = """\
/* {name}: read-only data. sha256 {digest} */
    .section .rodata.{symbol},"a",%progbits
    .balign {alignment}
    .globl {symbol}
    .hidden {symbol}
    .type {symbol}, %object
{symbol}:
    .incbin "{file}"
    .size {symbol}, . - {symbol}
    .section .note.GNU-stack,"",%progbits
"""
"""Assembly that embeds a file. The digest is there because compiler caches do not see through .incbin."""

BLOB_ALIGNMENT = 64


@dataclass(frozen=True)
class Linked:
    """The two forms of a library, as bytes of the files."""

    shared: bytes
    archive: bytes


@dataclass(frozen=True)
class Linker:
    """A C compiler driver for one target: its command, its archiver, and what it calls itself.

    ``libraries`` ends the command that links a shared library; ``environment`` is added to that of this process.
    """

    compiler: tuple[str, ...]
    archiver: tuple[str, ...]
    version: str
    libraries: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()

    def link(
        self,
        name: str,
        *,
        sources: Mapping[str, str],
        objects: Mapping[str, bytes],
        blobs: Mapping[str, bytes],
        exports: Sequence[str],
        abi: int,
    ) -> Linked:
        """Build ``libNAME.so`` (SONAME ``libNAME.so.ABI``) and ``libNAME.a``.

        ``sources`` are C files and headers by file name, ``objects`` object files, ``blobs`` read-only data by symbol
        (hidden, 64-byte aligned); ``exports`` is all that the shared library exports. LinkerError if a tool fails.
        """
        with self._folder() as folder:
            for file, text in sources.items():
                (folder / file).write_text(text, encoding="utf-8")
            for file, content in objects.items():
                (folder / file).write_bytes(content)
            members = [self._compile(folder, file) for file in sources if file.endswith(".c")]
            members += [self._embed(folder, symbol, content) for symbol, content in blobs.items()]
            members += list(objects)
            archive = f"lib{name}.a"
            self._run(folder, archive, (*self.archiver, "rcsD", archive, *members))
            (folder / "exports.map").write_text(_version_script(exports), encoding="ascii")
            shared = f"lib{name}.so.{abi}"
            script = ("-Wl,--version-script=exports.map", f"-Wl,-soname,{shared}")
            self._run(folder, shared, (*self.compiler, *SHARED_FLAGS, *script, *members, *self.libraries, "-o", shared))
            return Linked((folder / shared).read_bytes(), (folder / archive).read_bytes())

    def executable(self, sources: Mapping[str, str], archives: Sequence[Path], flags: Sequence[str]) -> bytes:
        """Build a program from C files, headers and archives; LinkerError if the compiler fails."""
        with self._folder() as folder:
            for file, text in sources.items():
                (folder / file).write_text(text, encoding="utf-8")
            inputs = [file for file in sources if file.endswith(".c")]
            inputs += [str(archive.resolve()) for archive in archives]
            self._run(folder, "program", (*self.compiler, "-O2", *flags, *inputs, "-o", "program"))
            return (folder / "program").read_bytes()

    def _compile(self, folder: Path, source: str) -> str:
        made = f"{source.rsplit('.', 1)[0]}.o"
        self._run(folder, source, (*self.compiler, *COMPILE_FLAGS, "-c", source, "-o", made))
        return made

    def _embed(self, folder: Path, symbol: str, content: bytes) -> str:
        data = f"{symbol}.bin"
        (folder / data).write_bytes(content)
        text = BLOB.format(
            name=symbol, symbol=symbol, file=data, alignment=BLOB_ALIGNMENT, digest=sha256(content).hexdigest()
        )
        (folder / f"{symbol}.S").write_text(text, encoding="ascii")
        self._run(folder, f"{symbol}.S", (*self.compiler, "-g0", "-c", f"{symbol}.S", "-o", f"{symbol}.o"))
        return f"{symbol}.o"

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="mnv2c-link-") as folder:
            yield Path(folder)

    def _run(self, folder: Path, made: str, command: Sequence[str]) -> None:
        environment = {**os.environ, **dict(self.environment), "LC_ALL": "C", "SOURCE_DATE_EPOCH": "0"}
        if self.environment:
            # A cache of its own that goes with the folder: otherwise every compile would leave its weights in there.
            environment["ZIG_LOCAL_CACHE_DIR"] = str(folder / "zig-cache")
        try:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace"
            )
        except OSError as error:
            raise LinkerError(f"{command[0]}: cannot be run: {error.strerror}") from error
        if done.returncode != 0:
            raise LinkerError(f"{Path(command[0]).name} failed on {made}: {first_error(done.stderr or done.stdout)}")


def first_error(output: str) -> str:
    """The line of a compiler's output that says what went wrong."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for sign in ("error:", "undefined", "error"):
        for line in lines:
            if sign in line.lower() and not line.startswith("collect2:"):
                return line
    return lines[0] if lines else "no message"


def _version_script(exports: Sequence[str]) -> str:
    return "{ global: " + " ".join(f"{symbol};" for symbol in exports) + " local: *; };\n"
