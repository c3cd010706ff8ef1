"""What ``mnv2c schedules`` does: list, show, prune and merge records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mnv2c import targets
from mnv2c.common import data
from mnv2c.errors import UserError, nearest
from mnv2c.records import folders, store
from mnv2c.records.best import OWN, SHIPPED, by_chain, by_network, decide, keeps_default, newest_cuts, warn_user
from mnv2c.records.record import SCHEMA, ChainRecord, CutsRecord, Record, to_line

ENDINGS = (".json", ".jsonl")


@dataclass(frozen=True)
class Summary:
    """What is known about one chain, or the cuts of one network, for a target and a number of threads.

    ``id`` is the chain's or the network's; ``ratio`` is the decision's: its cost over that of the default, 1 where the
    default is best, None where nothing is decided. ``gain`` is 1 - ratio; ``trials`` counts records by their status;
    ``dates`` are the first and the last one's. ``decided`` is the record that a compile uses, ``file`` where it is.
    """

    kind: str
    target: str
    threads: int
    id: str
    label: str
    source: str
    ratio: float | None
    trials: dict[str, int]
    dates: tuple[str, str]
    devices: tuple[str, ...]
    file: str
    decided: Record | None = field(default=None, compare=False)

    @property
    def gain(self) -> float | None:
        """The share of the default's time that is saved."""
        return None if self.ratio is None else 1.0 - self.ratio

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON; without what the decision says."""
        values = asdict(self)
        values.pop("decided")
        gain = None if self.gain is None else round(self.gain, 6)
        return {**values, "dates": list(self.dates), "devices": list(self.devices), "gain": gain}


def list_schedules(target: str | None = None, schedules: str | Path | None = None) -> list[Summary]:
    """Return what own and shipped records know: by CPU, own first; with ``target`` for that CPU only.

    UserError for a folder that does not exist, and for a target that is unknown and of which there are no records.
    """
    target, found = _entry(target), list[Summary]()
    for source, path in _files(target, schedules):
        records = store.read_file(path, warn_user)
        if source == SHIPPED:
            records = [replace(record, target=path.parent.name) for record in records]
        for (entry, threads), group in _groups(records).items():
            if target is None or entry in folders.names(target):
                found += _summaries(group, entry, threads, source, path)
    if target is not None and not found and target not in (known := targets.names()):
        raise UserError(f'target "{target}": unknown{nearest(target, known)}, and there are no records for it')
    return sorted(found, key=lambda entry: (entry.target, entry.source != OWN, entry.threads, entry.kind, entry.label))


def _entry(target: str | None) -> str | None:
    """The name that records have for a target: ``host`` and a file are called by what they come from."""
    if target is None or not (target in targets.names() or target.endswith(".toml")):
        return target  # records may be of a target whose file is not at hand
    return targets.load(target).entry


def _files(target: str | None, schedules: str | Path | None) -> list[tuple[str, Path]]:
    """The files of a target, or of all, each with its source."""
    if target is not None:
        own = folders.own_files(target, schedules)
        return [(OWN, path) for path in own] + [(SHIPPED, path) for _, path in folders.shipped_files(target)]
    folder = folders.existing_folder(schedules)
    own = [] if folder is None else _inside(folder)
    return [(OWN, path) for path in own] + [(SHIPPED, path) for path in _inside(data.folder("schedules"))]


def _inside(folder: Path) -> list[Path]:
    """The files of records in a folder and the folders in it, sorted."""
    files = [*folder.glob("*"), *folder.glob("*/*")]
    return sorted(path for path in files if path.suffix in ENDINGS and path.is_file())


def _groups(records: Iterable[Record]) -> dict[tuple[str, int], list[Record]]:
    found: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        found.setdefault((record.target, record.threads), []).append(record)
    return found


def _summaries(records: Sequence[Record], target: str, threads: int, source: str, path: Path) -> list[Summary]:
    found = []
    for name, chain in by_chain(records).items():
        best = decide(chain)
        ratio = None if best is None else 1.0 if keeps_default(best) else best.ratio
        found.append(_summary("chain", name, chain, best, ratio, (target, threads, source, path)))
    for name, several in by_network(records).items():
        cuts = newest_cuts(several)
        ratio = None if cuts is None or not cuts.cost or not cuts.default_cost else cuts.cost / cuts.default_cost
        found.append(_summary("cuts", name, several, cuts, ratio, (target, threads, source, path)))
    return found


def _summary(
    kind: str,
    name: str,
    records: Sequence[Record],
    best: Record | None,
    ratio: float | None,
    place: tuple[str, int, str, Path],
) -> Summary:
    target, threads, source, path = place
    dates = sorted(record.evidence.date for record in records)
    return Summary(
        kind=kind,
        target=target,
        threads=threads,
        id=name,
        label=(best or records[0]).label,
        source=source,
        ratio=ratio,
        trials=dict(Counter(getattr(record, "status", "ok") for record in records)),
        dates=(dates[0], dates[-1]),
        devices=tuple(sorted({record.device for record in records if record.device})),
        file=str(path),
        decided=best,
    )


def show_schedule(
    name: str, target: str | None = None, schedules: str | Path | None = None
) -> list[tuple[Summary, dict[str, Any] | None]]:
    """Return all that is known under ``name``, an identity (or its first digits) or a label, with what is decided.

    That is the record as plain data. UserError where there is none.
    """
    known = list_schedules(target, schedules)
    found = [entry for entry in known if name == entry.label or entry.id.startswith(name)]
    if not found:
        hint = nearest(name, {word for entry in known for word in (entry.id, entry.label)})
        raise UserError(f'schedules: no record of "{name}"{hint}; see `mnv2c schedules list`')
    return [(entry, None if entry.decided is None else _plain(entry.decided)) for entry in found]


def _plain(record: Record) -> dict[str, Any]:
    import json

    values: dict[str, Any] = json.loads(to_line(record))
    return values


@dataclass(frozen=True)
class Pruned:
    """How many records stay in a file, and what went: how many of each chain or network, by label."""

    file: str
    kept: int
    went: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def prune_schedules(
    target: str | None = None, schedules: str | Path | None = None, files: Sequence[str | Path] = ()
) -> list[Pruned]:
    """Leave in the user's files, or in ``files``, only what decides: the best record per chain and the best cuts.

    What a later version of mnv2c wrote stays, too. A new file takes the old one's place; who appends meanwhile waits.
    UserError, OutputError.
    """
    if files:
        paths = [_existing(Path(file)) for file in files]
    else:
        paths = [path for source, path in _files(_entry(target), schedules) if source == OWN]
    return [_prune(path) for path in paths]


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"{path}: no such file of records")
    return path


def _prune(path: Path) -> Pruned:
    with store.locked(path):
        records = store.read_file(path, warn_user)
        kept = _deciding(records)
        went = Counter(record.label for record in records) - Counter(record.label for record in kept)
        store.replace(path, kept, store.newer_lines(path))
    return Pruned(str(path), len(kept), dict(went))


def _deciding(records: Sequence[Record]) -> list[Record]:
    """The records without which a compile would do something else, by target, threads and chain."""
    found: list[Record] = []
    for _, group in sorted(_groups(records).items()):
        chains = [decide(several) for several in by_chain(group).values()]
        cuts = [newest_cuts(several) for several in by_network(group).values()]
        found += [record for record in (*chains, *cuts) if record is not None]
    return found


@dataclass(frozen=True)
class Merged:
    """A file with records of several: how many of chains and of cuts, from how many files."""

    file: str
    chains: int
    cuts: int
    files: int

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"schema": SCHEMA, **asdict(self)}


def merge_schedules(
    sources: Sequence[str | Path], output: str | Path, *, everything: bool = False, target: str | None = None
) -> Merged:
    """Write the best records of files and folders into one new file: a JSON array where it is called ``*.json``.

    With ``everything`` all records are kept, equal ones once; with ``target`` those of that CPU only. UserError where
    there is no record, and where ``output`` is a file that holds anything that the sources do not; OutputError.
    """
    target = _entry(target)
    paths = [path for source in sources for path in _given(Path(source))]
    lines = {to_line(record): record for record in store.read(paths, warn_user)}
    _check_replaceable(Path(output), lines)
    records = [record for record in lines.values() if target is None or record.target == target]
    if not records:
        raise UserError(f"schedules: no records in {', '.join(map(str, sources))}{f' for {target}' if target else ''}")
    kept = records if everything else _deciding(records)
    store.replace(Path(output), kept)
    chains = sum(isinstance(record, ChainRecord) for record in kept)
    return Merged(str(output), chains, sum(isinstance(record, CutsRecord) for record in kept), len(paths))


def _check_replaceable(output: Path, lines: Container[str]) -> None:
    """UserError where a file would be lost that holds more than the records on ``lines``."""
    if not output.exists():
        return
    foreign: list[str] = []
    lost = [record for record in store.read_file(output, foreign.append) if to_line(record) not in lines]
    if foreign:
        raise UserError(f"{output}: is there already and holds other things than records; name a new file")
    if lost:
        raise UserError(f"{output}: holds {len(lost)} records that are in none of the sources; name it as one, too")


def _given(path: Path) -> list[Path]:
    return _inside(path) if path.is_dir() else [_existing(path)]
