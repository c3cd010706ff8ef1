"""Chooses from records of tuning what is shipped in schedules/.

Usage: ship_schedules.py TARGET RECORDS... --output schedules/FOLDER/best.json

Of every chain it takes what the last session confirmed. What is not worth its memory (`mnv2c.tune.space.memory`), which
sessions before that rule confirmed, is left out: a compile without --arena-limit takes recorded choices whatever
memory they need. What an earlier session confirmed takes its place. Cuts of sessions whose choices were left out go
with them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mnv2c import targets
from mnv2c.kernels.microkernels import provider_for
from mnv2c.kernels.microkernels.base import Provider
from mnv2c.records.best import by_chain, by_network, decide, keeps_default, newest_cuts
from mnv2c.records.record import ChainRecord, Record
from mnv2c.records.store import read
from mnv2c.records.store import replace as replace_file
from mnv2c.schedule.identity import restore
from mnv2c.tune.space.memory import Memory


def is_greedy(decided: ChainRecord, records: Sequence[ChainRecord], unit: Provider) -> bool:
    """Whether a decision costs memory for little time."""
    default = next((record.choice for record in reversed(records) if record.default), None)
    if default is None or keeps_default(decided):
        return False
    return not Memory(restore(decided.chain), default, unit).is_paid(decided.choice, decided.ratio or 1.0)


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
