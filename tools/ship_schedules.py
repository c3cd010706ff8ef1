"""Chooses from records of tuning what is shipped in schedules/.

Usage: ship_schedules.py TARGET RECORDS... --output schedules/FOLDER/best.json

Of every chain it takes what the last session confirmed. A choice whose kernel needs more than a tenth more scratch
memory than the default's, or more memory for weights, is left out unless it saves more than a twenty-fifth of the
time, and one that needs half a megabyte more unless it saves a twelfth: a compile without --arena-limit takes recorded
choices whatever memory they need, and users count on small arenas and libraries. What an earlier session confirmed
takes its place. Cuts of sessions whose choices were left out go with them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mnv2c import targets
from mnv2c.kernels.layout import kernel_layout
from mnv2c.kernels.microkernels import provider_for
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.plan.chain import Chain
from mnv2c.records.best import by_chain, by_network, decide, keeps_default, newest_cuts
from mnv2c.records.record import ChainRecord, Record
from mnv2c.records.store import read
from mnv2c.records.store import replace as replace_file
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.identity import restore

MORE, ENOUGH = 1.1, 0.96
"""Memory over the default's that matters, and the ratio that is worth it."""
ROOM = 8192, 262144
"""Bytes of scratch memory, and of weights, that do not matter."""
MUCH, WORTH_MUCH = 524288, 0.92
"""Bytes of scratch memory over the default's that may make a large image's arena larger, and the ratio worth those."""


def memory(chain: Chain, choice: Choice, unit: Provider) -> tuple[int, int]:
    """Return the bytes of scratch memory and of packed weights of a chain's kernel."""
    layout = kernel_layout(replace(chain, in_place=choice.in_place), choice.schedule, unit)
    return layout.scratch_bytes, layout.weight_bytes


def is_greedy(decided: ChainRecord, records: Sequence[ChainRecord], unit: Provider) -> bool:
    """Whether a decision costs memory for little time."""
    default = next((record.choice for record in reversed(records) if record.default), None)
    ratio = decided.ratio or 1.0
    if default is None or keeps_default(decided):
        return False
    chain = restore(decided.chain)
    taken, before = (memory(chain, choice, unit) for choice in (decided.choice, default))
    if ratio <= ENOUGH:
        return ratio > WORTH_MUCH and taken[0] > before[0] + MUCH
    return any(now > then * MORE + room for now, then, room in zip(taken, before, ROOM, strict=True))


def shipped(records: Sequence[Record], unit: Provider) -> list[Record]:
    """Return what decides and is worth its memory."""
    found: list[Record] = []
    sessions_left_out = set()
    for group in by_chain(records).values():
        confirmed = [record for record in group if record.confirmed]
        greedy = [record for record in confirmed if is_greedy(record, group, unit)]
        for record in greedy:
            sessions_left_out.add(record.evidence.session)
            print(f"{record.label}: left out, {record.ratio:.3f} for more memory", file=sys.stderr)
        decided = decide([record for record in confirmed if record not in greedy])
        if decided is not None:
            found.append(decided)
    for several in by_network(records).values():
        cuts = newest_cuts(several)
        if cuts is not None and cuts.evidence.session not in sessions_left_out:
            found.append(cuts)
    return found


def main() -> None:
    """Read, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("records", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    target = targets.load(arguments.target)
    records = read(arguments.records, lambda message: print(message, file=sys.stderr))
    found = shipped([record for record in records if record.target == target.entry], provider_for("float32", target))
    replace_file(arguments.output, found)
    print(f"{arguments.output}: {len(found)} records")


if __name__ == "__main__":
    main()
