"""Times a library and its peers in interleaved rounds of one run."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from mnv2c.benchmark import network, timing
from mnv2c.benchmark.agreement import difference
from mnv2c.benchmark.contestant import Contestant, interpreter
from mnv2c.benchmark.job import Job, UnavailableError
from mnv2c.benchmark.peers import OWN
from mnv2c.benchmark.result import Machine, PeerResult, Timed
from mnv2c.benchmark.timing import Rounds
from mnv2c.common.scratch import scratch_folder
from mnv2c.errors import LibraryError

if TYPE_CHECKING:
    import numpy as np

    from mnv2c.runtime import Description

    Progress = Callable[[str, float], None]

SOURCE = Path(__file__).parent / "c" / "peak.c"
ISAS = {"avx2": "ISA_AVX2", "avx512": "ISA_AVX512", "neon": "ISA_NEON"}


@dataclass(frozen=True)
class Field:
    """Everyone who takes part, in the order of a round, and why the others do not."""

    contestants: dict[str, Contestant]
    differences: dict[str, float]
    missing: dict[str, str]


def compare(
    description: Description,
    inputs: Sequence[np.ndarray[Any, Any]],
    peers: Sequence[str],
    *,
    threads: int,
    rounds: int,
    runs: int | None,
    machine: Machine,
    progress: Progress,
) -> Timed:
    """Time the library and ``peers``; LibraryError where the library itself cannot run here."""
    if description.arch != platform.machine():
        raise LibraryError(
            f"{description.name}: compiled for {description.arch}, but this machine is {platform.machine()}; "
            f"its instructions can be counted with --device emulator"
        )
    with scratch_folder("bench") as folder, ExitStack() as stack:
        job = network.lay_out(description, inputs, folder, threads=threads, peers=bool(peers))
        (job.folder / "peak.so").write_bytes(_peak(description))
        field = _enter(job, peers, stack, progress)
        return _time(description, field, threads=threads, rounds=rounds, runs=runs, machine=machine, progress=progress)


def _peak(description: Description) -> bytes:
    """The loop of fused multiply-adds for the library's instruction set."""
    from mnv2c.link import select_linker
    from mnv2c.targets import load

    target = description.metadata["target"]
    isa = ISAS.get(target["isa"])
    if isa is None:
        raise LibraryError(f"{description.name}: target {target['name']}: no peak loop for isa {target['isa']!r}")
    text = f"#define ISA {isa}\n{SOURCE.read_text(encoding='utf-8')}"
    generic = load({"x86_64": "x86-64-v3", "aarch64": "aarch64"}[description.arch], libc=target["libc"])
    made = select_linker(generic).link(
        "peak", sources={"peak.c": text}, objects={}, blobs={}, exports=["peak_run"], abi=1
    )
    return made.shared


def _enter(job: Job, peers: Sequence[str], stack: ExitStack, progress: Progress) -> Field:
    """Start everyone; the library's own output is the one that the others must agree with."""
    contestants: dict[str, Contestant] = {}
    differences: dict[str, float] = {}
    missing: dict[str, str] = {}
    for name in (*OWN, *peers):
        progress(f"preparing {name}", 0.0)
        try:
            contestant = stack.enter_context(Contestant(name, job.folder, interpreter(name)))
            if name not in OWN:
                differences[name] = difference(job.folder, name)
            contestants[name] = contestant
        except UnavailableError as error:
            if name in OWN:
                raise LibraryError(f"{name}: {error}") from error
            missing[name] = str(error)
    return Field(contestants, differences, missing)


def _time(
    description: Description,
    field: Field,
    *,
    threads: int,
    rounds: int,
    runs: int | None,
    machine: Machine,
    progress: Progress,
) -> Timed:
    ours = field.contestants["ours"]
    if runs is None:
        runs = timing.runs_per_turn(ours.turn(5))
    turns = {name: contestant.turn for name, contestant in field.contestants.items()}
    try:
        found = timing.interleave(turns, rounds, runs, progress)
    except UnavailableError as error:
        raise LibraryError(f"{description.name}: a contestant failed while it was timed: {error}") from error
    return _result(description, field, found, threads=threads, runs=runs, machine=machine)


def _result(
    description: Description, field: Field, found: dict[str, Rounds], *, threads: int, runs: int, machine: Machine
) -> Timed:
    ours, peak = found["ours"], found["peak"]
    macs, peak_macs = field.contestants["ours"].macs, field.contestants["peak"].macs * threads
    return Timed(
        name=description.name,
        directory=description.folder,
        target=str(description.metadata["target"]["name"]),
        threads=threads,
        rounds=len(ours),
        runs=runs,
        madds=macs,
        timing=timing.summarise(ours),
        spread=timing.spread(ours),
        peak_share=macs / peak_macs / timing.ratio(ours, peak),
        peak_gmacs=peak_macs / median(median(turn) for turn in peak) / 1e6,
        peers={
            name: PeerResult(
                version=field.contestants[name].version,
                timing=timing.summarise(found[name]),
                ratio=timing.ratio(ours, found[name]),
                difference=field.differences[name],
            )
            for name in field.contestants
            if name not in OWN
        },
        missing=field.missing,
        machine=machine,
    )
