"""Prints how well tuning's model ranks: the best of its first 10 of 200 candidates against the best of all 200.

    python bench/ranking.py RECORDS [--target host] [--count 200] [--top 10] [--own 0,32]
    python bench/ranking.py RECORDS --measure MODEL [--width W] [--resolution R] [--skip 0] [--chains 4]

RECORDS is a file of records of ``mnv2c tune``, or what ``--measure`` appends to: random choices of the costliest chains
of MODEL, but for the first ``--skip`` (long chains take long to compile). Every chain with enough trials is held out in
turn: the model learns from all other chains, and from as many of its own trials as ``--own`` says (each number is a
column), ranks the others, and its first ``--top`` are looked up.
A figure is the best of those over the best of all that were ranked; "random" is what as many random picks would give.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import comb
from pathlib import Path
from random import Random

from mnv2c import targets
from mnv2c.records.record import ChainRecord, Evidence
from mnv2c.records.store import append, read
from mnv2c.schedule.identity import chain_id, describe
from mnv2c.tune.model.features import Features
from mnv2c.tune.model.known import Known, known
from mnv2c.tune.model.trees import Model, Trials
from mnv2c.tune.session.tasks import read as read_model
from mnv2c.tune.space.task import Task
from mnv2c.tune.space.ways import Space

BATCH = 20
"""Candidates of one program when measuring."""


@dataclass(frozen=True)
class Group:
    """One chain: a feature vector and a ratio per measured candidate, in random order."""

    label: str
    vectors: list[list[float]]
    ratios: list[float]


def group(entry: Known, seed: int) -> Group:
    """Return the legal trials of a chain in random order, the default left out."""
    space = Space(entry.task)
    features = Features(space)
    trials = [trial for trial in entry.trials if trial[0] != entry.task.default and space.contains(trial[0])]
    Random(seed).shuffle(trials)
    return Group(entry.task.label, [features.vector(choice) for choice, _ in trials], [ratio for _, ratio in trials])


def first_of(held: Group, others: Sequence[Group], own: int, count: int, top: int, seed: int) -> float:
    """Return the best of the model's first ``top`` over the best of all that it ranks."""
    model = Model(seed)
    taught = [Trials(entry.vectors, entry.ratios) for entry in others]
    model.fit([*taught, Trials(held.vectors[:own], held.ratios[:own], own=True)])
    vectors, ratios = held.vectors[own : own + count], held.ratios[own : own + count]
    predicted = model.predict(vectors)
    first = sorted(range(len(ratios)), key=predicted.__getitem__)[:top]
    return min(ratios[index] for index in first) / min(ratios)


def random_first(ratios: Sequence[float], top: int) -> float:
    """Return the expected best of ``top`` random picks over the best of all."""
    values = sorted(ratios)
    total = comb(len(values), top)
    chances = (comb(len(values) - index - 1, top - 1) / total for index in range(len(values)))
    return sum(chance * value for chance, value in zip(chances, values, strict=True)) / values[0]


def table(groups: Sequence[Group], count: int, top: int, owns: Sequence[int], seed: int) -> list[str]:
    """Return the rows: a chain, its candidates, one figure per number of its own trials, and the random one."""
    rows = [f"| chain | candidates | {' | '.join(f'{own} own trials' for own in owns)} | random |"]
    rows.append("|" + "---|" * (len(owns) + 3))
    for held in groups:
        if len(held.ratios) < count:
            continue
        others = [entry for entry in groups if entry is not held]
        figures = [f"{first_of(held, others, own, count, top, seed):.3f}" for own in owns]
        random = random_first(held.ratios[:count], top)
        rows.append(f"| {held.label} | {len(held.ratios)} | {' | '.join(figures)} | {random:.3f} |")
    return rows


def measure(arguments: argparse.Namespace) -> None:
    """Measure random choices of the costliest chains of a model and append them to the file of records."""
    from mnv2c.tune.devices.open import open_device
    from mnv2c.tune.measure.build import Builder
    from mnv2c.tune.measure.workers import Workers

    target = targets.load(arguments.target)
    tasks = costliest(arguments)
    with open_device(arguments.device, target) as device, Workers(avoid=getattr(device, "core", None)) as workers:
        for task in tasks:
            builder, rng, space = Builder(task, device.form, workers), Random(arguments.seed), Space(task)
            wanted = list(dict.fromkeys(space.sample(rng) for _ in range(2 * arguments.count)))[: arguments.count]
            for start in range(0, len(wanted), BATCH):
                choices = wanted[start : start + BATCH]
                built = builder.build(choices)
                results = built.results(device.measure(built.batch) if built.batch is not None else [])
                lines = [
                    ChainRecord(
                        target.entry, task.threads, task.label, chain_id(task.chain), describe(task.chain), choice,
                        status=str(found.status), cost=found.cost, unit=device.unit, ratio=found.ratio,
                        spread=found.spread, error=found.error, device=device.url, evidence=evidence(arguments.seed),
                    )
                    for choice, found in zip(choices, results, strict=True)
                ]  # fmt: skip
                append(arguments.records, lines)
                print(f"{task.label}: {start + len(choices)} of {len(wanted)}", file=sys.stderr, flush=True)


def evidence(seed: int) -> Evidence:
    """What the records rest on."""
    return Evidence(date=datetime.now(UTC).isoformat(timespec="seconds"), seed=seed, session="ranking")


def costliest(arguments: argparse.Namespace) -> list[Task]:
    """Return the tasks of the model's default plan that have most multiply-adds, but for the first few."""
    tunable = read_model(arguments.measure, arguments.target, width=arguments.width, resolution=arguments.resolution)
    tasks = tunable.tasks(tunable.cuts)
    return sorted(tasks, key=lambda task: -task.chain.madds)[arguments.skip :][: arguments.chains]


def main() -> None:
    """Measure if asked to, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", type=Path)
    parser.add_argument("--target", default="host")
    parser.add_argument("--measure", metavar="MODEL")
    parser.add_argument("--width", type=float)
    parser.add_argument("--resolution", type=int)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--skip", type=int, default=0)
    parser.add_argument("--device", default="local")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument("--own", default="0,32")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments)
    found = read([arguments.records], lambda message: print(message, file=sys.stderr))
    records = [record for record in found if isinstance(record, ChainRecord)]
    groups = [group(entry, arguments.seed) for entry in known(records, targets.load(arguments.target))]
    owns = [int(number) for number in arguments.own.split(",")]
    print("\n".join(table(groups, arguments.count, arguments.top, owns, arguments.seed)))


if __name__ == "__main__":
    main()
