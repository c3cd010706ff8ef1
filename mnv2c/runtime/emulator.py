"""Runs a library as a static program: under qemu for a foreign CPU, directly for this machine's architecture.

The program (``c/harness.c``) gives arena and buffers exactly their bytes, with guard pages and canaries around them.
"""

from __future__ import annotations

import platform
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.common.data import fill
from mnv2c.common.scratch import scratch_folder
from mnv2c.dtypes import number_type
from mnv2c.errors import CannotRunError, LibraryError
from mnv2c.runtime.description import Description, Place, StepResult, Tensor
from mnv2c.runtime.metadata import read

if TYPE_CHECKING:
    from numpy.typing import NDArray

HERE = Path(__file__).parent / "c"

QEMU = ("qemu-{arch}", "qemu-{arch}-static")
"""Names of the user-mode emulator, as distributions call it."""

FOREIGN_LIBC = "libsystem"
"""That of macOS, whose programs neither Linux nor qemu starts."""

SYSTEM = ("system.c", "system.h", "call.h", "memory.h", "start.h")
"""What a program without a libc is linked with."""

SOURCES = ("harness.c", "math.c", *SYSTEM)

FLAGS = ("-static", "-nostdlib", "-ffreestanding", "-fno-builtin", "-std=c99", "-fno-sanitize=undefined", "-s")
"""Without a libc: zig would first have to build one for every architecture, which takes a minute."""

NO_SUCH_CPU = "status 2:"
"""How the harness begins to say that the library refuses the CPU, NAME_E_CPU."""

TIMEOUT = 600
"""Seconds after which an emulated run counts as hanging."""


@dataclass(frozen=True)
class Emulated:
    """The outputs of a run and, if asked for, what every step left behind."""

    outputs: tuple[NDArray[Any], ...]
    steps: tuple[StepResult, ...]


def run(
    library: str | Path | Description,
    inputs: Sequence[NDArray[Any]],
    *,
    steps: bool = False,
    backwards: bool = False,
    cpu: str | None = None,
    flags: Sequence[str] = (),
) -> Emulated:
    """Run a library, or the one in a folder, once; ``steps`` also returns each step's results.

    One thread runs the parts of every phase in order, or ``backwards``, so that a part which needs another's shows.

    ``flags`` are for the compiler of the harness: with "-DAT_START" the buffers begin behind a page that must not be
    touched, without they end before one.

    ``cpu`` is qemu's ``-cpu`` name instead of that of the target; naming one emulates even this machine's
    architecture. LibraryError if qemu is missing, or the library fails, crashes or writes outside its buffers.
    """
    description = _described(library)
    values = description.checked(tuple(inputs))
    with scratch_folder("run") as folder:
        for index, value in enumerate(values):
            value.tofile(folder / f"input_{index}.bin")
        mode = "steps" if steps else "backwards" if backwards else "run"
        execute(description, mode, folder, launcher(description, cpu), flags)
        outputs = tuple(_load(folder / f"output_{i}.bin", port) for i, port in enumerate(description.outputs))
        dumps = enumerate(_dumps(description) if steps else [])
        return Emulated(outputs, tuple(_step_result(description, folder, *entry) for entry in dumps))


def selftest(library: str | Path | Description, *, cpu: str | None = None) -> None:
    """Run the library's own self-test as ``run`` does; LibraryError if it fails."""
    with scratch_folder("run") as folder:
        _execute(_described(library), "selftest", folder, cpu)


def _described(library: str | Path | Description) -> Description:
    return library if isinstance(library, Description) else read(library)


def find_qemu(arch: str) -> str | None:
    """The user-mode emulator for an architecture, or None."""
    return next((path for name in QEMU if (path := shutil.which(name.format(arch=arch)))), None)


def launcher(description: Description, cpu: str | None = None) -> tuple[str, ...]:
    """The command in front of the program: empty where it runs directly.

    LibraryError if qemu is missing, or where the library is for an operating system that is not emulated.
    """
    target = description.metadata["target"]
    if target["libc"] == FOREIGN_LIBC:
        raise CannotRunError(
            f"{description.name}: compiled for {target['triple']}, which runs on a Mac only; to check the same kernels "
            f"here, compile with --libc gnu"
        )
    if cpu is None and description.arch == platform.machine():
        return ()
    qemu = find_qemu(description.arch)
    if qemu is None:
        raise CannotRunError(
            f"{description.name}: compiled for {description.arch}, but qemu-{description.arch} is missing; "
            f"install it (Debian, Ubuntu: apt-get install qemu-user), or run the library on its own device"
        )
    model = cpu or description.emulator_cpu
    return (qemu, "-cpu", model) if model else (qemu,)


def build(description: Description, flags: Sequence[str] = ()) -> bytes:
    """The harness linked with the static library: a program without any shared library, not even libc.

    ``flags`` are added for the compiler.
    """
    from mnv2c.link.select import static_linker

    sources = {name: (HERE / name).read_text(encoding="utf-8") for name in SOURCES} | {
        "table.h": _table(description),
        description.header.name: description.source(description.header.name),
    }
    variant = (f'-DVARIANT="{description.variant}"',) if description.variant else ()
    return static_linker(description.arch).executable(sources, [description.archive], (*FLAGS, *variant, *flags))


def execute(
    description: Description,
    mode: str,
    folder: Path,
    command: Sequence[str],
    flags: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """Build the harness with compiler ``flags`` and run it with ``folder`` as working directory and for its files.

    ``mode`` is one of those in ``c/harness.c``, ``command`` what goes in front of the program. LibraryError if the
    program fails or crashes.
    """
    program = folder / "harness"
    program.write_bytes(build(description, flags))
    program.chmod(0o755)
    try:
        done = subprocess.run(
            [*command, "./harness", mode, "."],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LibraryError(f"{description.name}: cannot be run: {error}") from error
    if done.returncode != 0:
        failure = _failure(done.returncode, done.stderr)
        kind = CannotRunError if failure.startswith(NO_SUCH_CPU) else LibraryError
        raise kind(f"{description.name}: {failure}")


def _execute(description: Description, mode: str, folder: Path, cpu: str | None) -> None:
    execute(description, mode, folder, launcher(description, cpu))


def _failure(code: int, message: str) -> str:
    number = -code if code < 0 else code - 128  # of a signal, as reported by the system or by a shell
    if number in set(signal.Signals):
        return f"crashed: {signal.Signals(number).name}"
    lines = [line for line in message.splitlines() if line.strip()]
    return lines[-1] if lines else f"the harness exited with {code}"


def _dumps(description: Description) -> list[tuple[int, Place]]:
    return [(index, place) for index, step in enumerate(description.steps) for place in step.results]


def _table(description: Description) -> str:
    dumps = _dumps(description)
    return fill(
        HERE / "table.h.in",
        name=description.name,
        NAME=description.name.upper(),
        inputs=len(description.inputs),
        outputs=len(description.outputs),
        dumps=len(dumps),
        input_ports=", ".join(map(_port, description.inputs)),
        output_ports=", ".join(map(_port, description.outputs)),
        dump_rows="\n".join(
            f"    {{{step}, '{place.space[0]}', {place.index}, {place.offset}, {place.tensor.bytes}}},"
            for step, place in dumps
        ),
    )


def _port(tensor: Tensor) -> str:
    return f"{{{tensor.bytes}, {number_type(tensor.dtype).bytes}}}"


def _load(path: Path, tensor: Tensor) -> NDArray[Any]:
    try:
        return np.fromfile(path, tensor.dtype).reshape(tensor.shape)
    except (OSError, ValueError):
        raise LibraryError(f"{path.stem}: the program wrote something else than {tensor.bytes} bytes") from None


def _step_result(description: Description, folder: Path, number: int, dump: tuple[int, Place]) -> StepResult:
    step, place = dump
    value = _load(folder / f"dump_{number}.bin", place.tensor)
    return StepResult(step, description.steps[step].name, place.tensor.name, place.onnx_layout, value)
