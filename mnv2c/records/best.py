"""From many records the best choice for every chain and the best cuts of every network, for one target.

The user's own records go before the shipped ones, times before what an emulator counts, and what a session decided in
the end before its single trials.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.errors import RecordsWarning
from mnv2c.records import folders, store
from mnv2c.records.record import ChainRecord, CutsRecord, Record
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.identity import chain_id, network_id

if TYPE_CHECKING:
    from mnv2c.plan.chain import Chain
    from mnv2c.plan.network import Network
    from mnv2c.targets import Target

OWN, SHIPPED = "own", "shipped"
SECONDS = "s"


def warn_user(text: str) -> None:
    """Warn as Python does; the command line shows it in a line."""
    warnings.warn(text, RecordsWarning, stacklevel=2)


@dataclass(frozen=True)
class Kept:
    """The choice for a chain: a record with its ``ratio`` < 1, from the user's ``own`` records or ``shipped`` ones."""

    record: ChainRecord
    source: str

    @property
    def choice(self) -> Choice:
        """How to run the chain."""
        return self.record.choice

    @property
    def ratio(self) -> float:
        """Its cost over that of the default."""
        return self.record.ratio or 1.0


@dataclass(frozen=True)
class Best:
    """The best choices by the chains' identities, and the cuts by the networks'; ``files`` are those that were read.

    ``defaults`` are the choices of chains for which nothing faster than their default was found.
    """

    chains: Mapping[str, Kept] = field(default_factory=dict)
    networks: Mapping[str, CutsRecord] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    defaults: Mapping[str, Choice] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to choose."""
        return bool(self.chains or self.networks or self.defaults)

    def kept(self, chain: Chain) -> Kept | None:
        """Return what is known about ``chain`` that is better than its default."""
        return self.chains.get(chain_id(chain)) if self.chains else None

    def default(self, chain: Chain) -> Choice | None:
        """Return the default of ``chain`` that was measured to be best; None where none was."""
        return self.defaults.get(chain_id(chain)) if self.defaults else None

    def choice(self, chain: Chain) -> tuple[Choice, float] | None:
        """Return the best choice for ``chain`` and its ratio; None where its default is best."""
        kept = self.kept(chain)
        return None if kept is None else (kept.choice, kept.ratio)

    def cuts(self, network: Network) -> tuple[int, ...] | None:
        """Return the numbers of the nodes at which ``network`` is best cut into chains; None where nothing is known."""
        found = self.networks.get(network_id(network)) if self.networks else None
        return None if found is None else found.cuts


NOTHING = Best()
"""What is known where there are no records."""


def load_best(
    target: Target, threads: int = 1, schedules: str | Path | None = None, warn: store.Warn = warn_user
) -> Best:
    """Read the user's and the shipped records for ``target`` and ``threads``; see `folders` for ``schedules``.

    UserError for a folder or a file that cannot be read.
    """
    if folders.own_folder(schedules) is None:
        return NOTHING
    entry = target.entry or target.name
    own, shipped = folders.own_files(entry, schedules), folders.shipped_files(entry)
    sources = [(OWN, store.read(own, warn))]
    for name in folders.names(entry):  # what the target shares with others comes last
        paths = [path for folder, path in shipped if folder == name]
        sources.append((SHIPPED, [replace(record, target=entry) for record in store.read(paths, warn)]))
    return best_of(sources, folders.names(entry), threads, tuple(own) + tuple(path for _, path in shipped))


def best_of(
    sources: Iterable[tuple[str, Sequence[Record]]], targets: Sequence[str], threads: int, files: tuple[Path, ...] = ()
) -> Best:
    """Return the best of records for ``targets`` and ``threads``; the earlier of ``sources`` go before the later."""
    decided: dict[str, tuple[ChainRecord, str]] = {}
    networks: dict[str, CutsRecord] = {}
    for source, records in sources:
        fitting = [record for record in records if record.target in targets and record.threads == threads]
        for name, group in by_chain(fitting).items():
            record = decide(group)
            if record is not None:
                decided.setdefault(name, (record, source))
        for name, several in by_network(fitting).items():
            cuts = newest_cuts(several)
            if cuts is not None:
                networks.setdefault(name, cuts)
    chains = {name: Kept(record, source) for name, (record, source) in decided.items() if not keeps_default(record)}
    defaults = {name: record.choice for name, (record, _) in decided.items() if record.default}
    return Best(chains, networks, files, defaults)


def by_chain(records: Iterable[Record]) -> dict[str, list[ChainRecord]]:
    """Group what is about chains by their identity, in order."""
    found: dict[str, list[ChainRecord]] = {}
    for record in records:
        if isinstance(record, ChainRecord):
            found.setdefault(record.chain_id, []).append(record)
    return found


def by_network(records: Iterable[Record]) -> dict[str, list[CutsRecord]]:
    """Group what is about cuts by the networks' identity, in order."""
    found: dict[str, list[CutsRecord]] = {}
    for record in records:
        if isinstance(record, CutsRecord):
            found.setdefault(record.network_id, []).append(record)
    return found


def decide(records: Sequence[ChainRecord]) -> ChainRecord | None:
    """Return the record of one chain that says how to run it; None where none does.

    That is the newest one that a session confirmed, be it for the default. Where none is confirmed it is the choice of
    least ratio among those that are surely faster, the middle one of its trials: noise must not win.
    """
    valid = [record for record in records if record.valid]
    valid = [record for record in valid if record.unit == SECONDS] or valid
    confirmed = [record for record in valid if record.confirmed]
    if confirmed:
        return max(reversed(confirmed), key=_date)  # of one second the last one
    trials: dict[Choice, list[ChainRecord]] = {}
    for record in valid:
        if not record.default:
            trials.setdefault(record.choice, []).append(record)
    middles = [sorted(several, key=_ratio)[len(several) // 2] for several in trials.values()]
    return min(
        (record for record in middles if _ratio(record) + (record.spread or 0.0) < 1.0), key=_ratio, default=None
    )


def keeps_default(record: ChainRecord) -> bool:
    """Whether a decision is for the default."""
    return record.default or _ratio(record) >= 1.0


def newest_cuts(records: Sequence[CutsRecord]) -> CutsRecord | None:
    """Return the newest cuts of one network that were not slower, by times if there are any; None where none were."""
    valid = [record for record in records if record.valid]
    valid = [record for record in valid if record.unit == SECONDS] or valid
    return max(reversed(valid), key=_date, default=None)


def _date(record: Record) -> str:
    return record.evidence.date


def _ratio(record: ChainRecord) -> float:
    return 1.0 if record.ratio is None else record.ratio
