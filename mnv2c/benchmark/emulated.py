"""The counts of the peers' own ARM builds under qemu, for the same inference as the library's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.benchmark import arm, network
from mnv2c.benchmark.agreement import difference
from mnv2c.benchmark.contestant import interpreter, once
from mnv2c.benchmark.counts import read_counts
from mnv2c.benchmark.job import UnavailableError
from mnv2c.benchmark.peers import PEERS
from mnv2c.benchmark.peers.base import together
from mnv2c.benchmark.result import PeerCounts
from mnv2c.common.scratch import scratch_folder
from mnv2c.runtime import emulator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mnv2c.benchmark.counts import Counted, Simulator
    from mnv2c.runtime import Description

    Progress = Callable[[str, float], None]

ARCH = "aarch64"


def count(
    description: Description,
    inputs: Sequence[NDArray[Any]],
    peers: Sequence[str],
    ours: Counted,
    progress: Progress,
) -> tuple[Mapping[str, PeerCounts], Mapping[str, str]]:
    """Count each of ``peers`` with one thread; those that cannot take part come second, with the reason.

    LibraryError where the library's own output, which theirs must agree with, cannot be had.
    """
    found: dict[str, PeerCounts] = {}
    missing: dict[str, str] = {}
    if not peers:
        return found, missing
    with scratch_folder("count") as folder:
        prepared = False
        for index, peer in enumerate(peers):
            try:
                _check(peer, description)
                root = arm.find()
                if not prepared:
                    _prepare(description, inputs, folder, root, ours.simulator)
                    prepared = True
                progress(f"counting {peer}", (index + 1) / (len(peers) + 1))
                found[peer] = _count(peer, folder, ours)
            except UnavailableError as error:
                missing[peer] = str(error)
    return found, missing


def _check(peer: str, description: Description) -> None:
    if not PEERS[peer].emulated:
        raise UnavailableError("is compared on this machine only; leave --device emulator out")
    if description.arch != ARCH:
        raise UnavailableError(f"is emulated for {ARCH} only, and the library was compiled for {description.arch}")


def _prepare(
    description: Description, inputs: Sequence[NDArray[Any]], folder: Path, root: Path, simulated: Simulator
) -> None:
    """Everything that the peers share: model and input, the ARM system, the plugin, and the output to agree with."""
    network.lay_out(description, inputs, folder, threads=1, peers=True)
    arm.lay_out(root, folder, simulated.cpu)
    simulated.install(folder)
    own = emulator.run(description, inputs)
    np.save(folder / "ours.npy", together(own.outputs))


def _count(peer: str, folder: Path, ours: Counted) -> PeerCounts:
    """Convert the model on this machine, run it under qemu; UnavailableError where either fails."""
    once("convert", peer, folder, command=(interpreter(peer),))
    (folder / "counts.txt").unlink(missing_ok=True)
    answer = once(
        "count",
        peer,
        ".",
        command=(*ours.simulator.command, *arm.COMMAND),
        source=arm.SOURCE,
        cwd=folder,
        environment=arm.ENVIRONMENT,
        timeout=emulator.TIMEOUT,
    )
    *_, counts, marking = read_counts(folder)
    ratio = ours.whole.instructions / counts.instructions
    return PeerCounts(answer["version"], counts, marking, ratio, difference(folder, peer))
