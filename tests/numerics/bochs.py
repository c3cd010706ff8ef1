"""Runs x86-64 libraries on a PC emulated by Bochs, which has AVX-512 where this CPU and qemu-user have not.

There is neither firmware nor an operating system on that PC: the program (``bare_metal/`` and the package's own
``harness.c``) is all there is, so a run takes seconds. It is read from a disk image by 4 KB of ROM, and writes its
files to a port that Bochs copies to its standard output.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from mnv2c.errors import LibraryError
from mnv2c.link.select import static_linker
from mnv2c.runtime import StepResult, emulator
from mnv2c.runtime.description import Description
from mnv2c.runtime.execution import Executor
from mnv2c.runtime.frames import FrameFunctions

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent / "bare_metal"

FLAGS = (
    *(flag for flag in emulator.FLAGS if flag != "-s"), "-fno-pic", "-mno-red-zone", "-Wl,-T,bare.ld", "-Wl,-e,reset",
)  # fmt: skip

SKYLAKE = "corei7_skylake_x"
ALL_REGISTERS = 0xE7
"""XCR0 of an operating system that knows AVX-512."""

PROGRAM_AT, PROGRAM_LIMIT = 0x200000, 0x8000000
ROM_AT, SECTORS_AT = 0xFFFFF000, 0xFE0
CYLINDER = 16 * 63 * 512
TIMEOUT = 1800

SETTINGS = """\
config_interface: textconfig
display_library: rfb, options="timeout=0"
plugin_ctrl: unmapped=1, biosdev=0, extfpuirq=0, gameport=0, iodebug=0, parallel=0, serial=0, speaker=0
memory: guest=256, host=256
cpu: model={cpu}, count=1, ips=50000000, reset_on_triple_fault=0
romimage: file=rom, address={rom:#x}
ata0-master: type=disk, path=disk, mode=flat, cylinders=0
port_e9_hack: enabled=1
log: log.txt
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"""
"""A PC without firmware and screen: rfb is the display that every package of Bochs has; it waits for no viewer."""

RECORD = re.compile(rb"([FTX]) (\d+)(?: (.*))?\n")
"""What ``bare.c`` writes. After a crash, Bochs' debugger adds other lines."""

START = "c\nq\n"
"""For Bochs with its debugger, as in Debian: run, and leave when stopped."""


@dataclass(frozen=True)
class Pc:
    """A Bochs CPU model and the registers (XCR0) that the program turns on as an operating system would."""

    cpu: str = SKYLAKE
    registers: int = ALL_REGISTERS


def missing(pc: Pc | None = None) -> str | None:
    """What keeps a PC from being emulated here, in words, or None."""
    program = shutil.which("bochs")
    if program is None:
        return "bochs is missing (Debian, Ubuntu: sh tools/bochs.sh, or apt-get install bochs)"
    model = (pc or Pc()).cpu
    models = subprocess.run([program, "--help", "cpu"], capture_output=True, text=True, errors="replace")
    if model not in (models.stdout + models.stderr).split():
        return f"{program} emulates no {model}; version 2.7 does"
    return None


class Bochs(Executor):
    """Runs a library of a folder on an emulated PC; ``seconds`` is what all its runs took."""

    emulated = True

    def __init__(self, directory: Path, pc: Pc | None = None) -> None:
        self._directory, self._pc = directory, pc or Pc()
        self.where = f"Bochs, {self._pc.cpu}"
        self.seconds = 0.0

    def run(self, inputs: Sequence[NDArray[Any]]) -> tuple[tuple[NDArray[Any], ...], float]:
        """Run once; return the outputs and the milliseconds, which include linking and starting the PC."""
        before = self.seconds
        with self._instead_of_qemu():
            outputs = emulator.run(self._directory, inputs).outputs
        return outputs, (self.seconds - before) * 1e3

    def frames(self) -> FrameFunctions:
        """Not run here: this PC sees tensors only."""
        raise LibraryError(f"{self.where}: runs tensors, not frames; use another machine for frames")

    def trace(self, inputs: Sequence[NDArray[Any]]) -> tuple[StepResult, ...]:
        """Run step by step; return what each step leaves behind."""
        with self._instead_of_qemu():
            return emulator.run(self._directory, inputs, steps=True).steps

    def selftest(self) -> None:
        """Run the library's own self-test; LibraryError if it fails."""
        with self._instead_of_qemu():
            emulator.selftest(self._directory)

    @contextmanager
    def _instead_of_qemu(self) -> Iterator[None]:
        start = time.perf_counter()

        def execute(description: Description, mode: str, folder: Path, cpu: str | None) -> None:
            _execute(description, mode, folder, self._pc)

        with patch.object(emulator, "_execute", execute):
            yield
        self.seconds += time.perf_counter() - start


def _execute(description: Description, mode: str, folder: Path, pc: Pc) -> None:
    """Run the harness; its files are in ``folder`` before and afterwards. LibraryError if it fails."""
    program, rom = _segments(_build(description, mode, pc))
    inputs = [folder / f"input_{index}.bin" for index in range(len(description.inputs))]
    program += b"".join(path.read_bytes() for path in inputs if mode != "selftest")
    if PROGRAM_AT + len(program) > PROGRAM_LIMIT:
        raise LibraryError(f"{description.name}: {len(program)} bytes are too many for the emulated PC")
    struct.pack_into("<I", rom, SECTORS_AT, -(-len(program) // 512))
    output, message = _emulate(program, rom, pc)
    code, text = _unpack(output.partition(b"BEGIN\n")[2], folder)
    if code is None:
        raise LibraryError(f"{description.name}: crashed: {message}")
    if code != 0:
        lines = text.splitlines() or [f"the harness exited with {code}"]
        raise LibraryError(f"{description.name}: {lines[-1]}")


def _build(description: Description, mode: str, pc: Pc) -> bytes:
    """The harness for a bare PC, an ELF file."""
    files = [
        emulator.HERE / "harness.c",
        emulator.HERE / "system.h",
        emulator.HERE / "memory.h",
        *HERE.iterdir(),
        description.header,
    ]
    sources = {path.name: path.read_text("utf-8") for path in files}
    sources["table.h"] = emulator._table(description)
    flags = [*FLAGS, f'-DRUN_MODE="{mode}"', f"-DXCR0={pc.registers:#x}"]
    return static_linker("x86_64").executable(sources, [description.archive], flags)


def _segments(elf: bytes) -> tuple[bytearray, bytearray]:
    """The memory from PROGRAM_AT on, and the ROM (ELF-64 specification, "Program Header")."""
    (table,), (count,) = struct.unpack_from("<Q", elf, 32), struct.unpack_from("<H", elf, 56)
    memory, rom = bytearray(), bytearray()
    for index in range(count):
        kind, _, offset, address, _, in_file, in_memory = struct.unpack_from("<IIQQQQQ", elf, table + 56 * index)
        content = elf[offset : offset + in_file]
        if kind != 1:  # PT_LOAD
            continue
        if address == ROM_AT:
            rom += content
        else:
            memory += bytes(address - PROGRAM_AT - len(memory)) + content + bytes(in_memory - in_file)
    return memory + bytes(-len(memory) % 4096), rom


def _emulate(disk: bytearray, rom: bytearray, pc: Pc) -> tuple[bytes, str]:
    """What the program writes, and what Bochs says last: an unresolved exception is how a crash shows."""
    with tempfile.TemporaryDirectory(prefix="mnv2c-bochs-") as name:
        folder = Path(name)
        (folder / "disk").write_bytes(disk + bytes(-len(disk) % CYLINDER))
        (folder / "rom").write_bytes(rom)
        (folder / "settings").write_text(SETTINGS.format(cpu=pc.cpu, rom=ROM_AT), "utf-8")
        command = ["bochs", "-q", "-f", "settings"]
        try:
            done = subprocess.run(command, cwd=folder, input=START.encode(), capture_output=True, timeout=TIMEOUT)
        except subprocess.TimeoutExpired as error:
            raise LibraryError(f"bochs: still running after {TIMEOUT} s") from error
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip(" =")]
    return done.stdout, said[-1] if said else f"bochs exited with {done.returncode}"


def _unpack(output: bytes, folder: Path) -> tuple[int | None, str]:
    """Write the files into ``folder``; return the exit code, None if the program did not end, and its messages."""
    text, at = "", 0
    while record := RECORD.match(output, at):
        kind, size, path = record[1], int(record[2]), record[3]
        if kind == b"X":
            return size, text
        content = output[record.end() : record.end() + size]
        at = record.end() + size
        if kind == b"T":
            text += content.decode(errors="replace")
        else:
            (folder / Path(path.decode()).name).write_bytes(content)
    return None, text
