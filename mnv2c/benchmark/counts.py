"""Executed instructions, memory accesses and simulated cache misses of one inference, under qemu's user mode."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnv2c.benchmark import plugin
from mnv2c.common.scratch import scratch_folder
from mnv2c.errors import LibraryError
from mnv2c.runtime import emulator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnv2c.runtime import Description

LINE_BYTES = 64
WAYS = (4, 8)
"""Associativity of the two levels, for every CPU: target files know sizes only."""

PLUGIN = "count.so"


@dataclass(frozen=True)
class Counts:
    """What qemu executed between two markers; misses are of lines, in the model of ``c/cache.h``."""

    instructions: int
    loads: int
    stores: int
    l1_misses: int
    l2_misses: int

    def as_dict(self) -> dict[str, int]:
        """Plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Simulator:
    """qemu with the plugin, and the caches that it simulates, for one target."""

    qemu: str
    cpu: str
    l1_bytes: int
    l2_bytes: int

    @property
    def where(self) -> str:
        """Emulator and CPU, for people."""
        return f"{Path(self.qemu).name} -cpu {self.cpu}"

    @property
    def model(self) -> str:
        """The cache model, for people."""
        sizes = zip(("L1D", "L2"), (self.l1_bytes, self.l2_bytes), WAYS, strict=True)
        levels = ", ".join(f"{name} {size // 1024} KB {ways}-way" for name, size, ways in sizes)
        return f"{levels}, {LINE_BYTES}-byte lines, LRU, no prefetch"

    @property
    def command(self) -> tuple[str, ...]:
        """What goes in front of a program in whose working directory ``install`` has put the plugin."""
        options = f"l1={self.l1_bytes},ways1={WAYS[0]},l2={self.l2_bytes},ways2={WAYS[1]}"
        return (self.qemu, "-cpu", self.cpu, "-plugin", f"./{PLUGIN},{options}")

    def install(self, folder: Path) -> None:
        """Put the plugin into ``folder``; LinkerError where it cannot be built."""
        shutil.copy(plugin.build(self.qemu), folder / PLUGIN)


@dataclass(frozen=True)
class Counted:
    """The counts of a whole run and, if asked for, of its steps by name."""

    whole: Counts
    steps: tuple[tuple[str, Counts], ...]
    simulator: Simulator


def simulator(description: Description) -> Simulator:
    """What counts for the library's target; LibraryError where qemu is missing or cannot load plugins."""
    target = description.metadata["target"]
    qemu = plugin.find_qemu(description.arch)
    sizes = (int(target["l1d_bytes"]), int(target["l2_bytes"]))
    for size, ways, level in zip(sizes, WAYS, ("l1d_bytes", "l2_bytes"), strict=True):
        if size < LINE_BYTES * ways:
            raise LibraryError(f"{description.name}: target {target['name']}: {level} is {size}, too small to simulate")
    return Simulator(qemu, description.emulator_cpu or "max", *sizes)


def count(description: Description, inputs: Sequence[NDArray[Any]], *, steps: bool = False) -> Counted:
    """Count one run after a first one that filled the caches; ``steps`` counts once more, step by step.

    Equal libraries give equal counts. LibraryError where qemu is missing, cannot load plugins, or the run fails.
    """
    simulated = simulator(description)
    (whole,) = _run(description, inputs, simulated, "count")
    each = _run(description, inputs, simulated, "count-steps") if steps else []
    names = [step.name for step in description.steps] if steps else []
    return Counted(whole, tuple(zip(names, each, strict=True)), simulated)


def read_counts(folder: Path) -> list[Counts]:
    """What the plugin counted between each two markers, from the folder that qemu ran in."""
    lines = (folder / "counts.txt").read_text(encoding="ascii").splitlines()
    return [Counts(*map(int, line.split())) for line in lines]


def _run(description: Description, inputs: Sequence[NDArray[Any]], simulated: Simulator, mode: str) -> list[Counts]:
    """Start the harness with the plugin; the counts of the second run come back: one, or one per step."""
    with scratch_folder("count") as folder:
        for index, value in enumerate(description.checked(tuple(inputs))):
            value.tofile(folder / f"input_{index}.bin")
        simulated.install(folder)
        # Environment and arguments lie on the stack: with none, and relative names, its addresses are always the same.
        emulator.execute(description, mode, folder, simulated.command, flags=("-DCOUNTED",), environment={})
        found = read_counts(folder)
        return found[len(found) // 2 :]
