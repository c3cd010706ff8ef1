"""What one line of a file of records says: a chain run in one way and measured, or where a network is best cut."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from typing import Any

from mnv2c.errors import ScheduleError
from mnv2c.schedule.choice import Choice
from mnv2c.schedule.identity import digest

SCHEMA = 1
"""Of the lines; goes up when what they say changes its meaning."""
OK = "ok"
"""The status of a choice that computed right numbers in time (`mnv2c.tune.space.task.Status`)."""


@dataclass(frozen=True)
class Evidence:
    """What a record rests on: CPU, versions, when (ISO 8601, UTC), the search's seed, the session's name.

    ``conditions`` are what was readable on the device: core, frequencies in Hz, temperatures in degrees Celsius; and
    the medians of both states of the caches, ``ratios`` and ``default_costs``, where a device tells them.
    """

    cpu: str = ""
    mcpu: str = ""
    tvm: str = ""
    llvm: str = ""
    mnv2c: str = ""
    date: str = ""
    seed: int = 0
    session: str = ""
    conditions: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class ChainRecord:
    """One choice for one chain, measured once for a target and a number of threads.

    ``chain`` is `schedule.identity.describe`'s data, ``chain_id`` its digest, ``label`` where it was found first.
    ``ratio`` is the cost over that of the default, the choice of a compile without records, measured in turns with
    it (the worse of the two where ``conditions`` name ``ratios``); ``spread`` is the distance between its quartiles,
    ``error`` max |y - reference| over max |reference|, ``peak_share`` the share of the CPU's peak. ``unit`` of costs is
    "s", or "cost" for what an emulator counts. ``default`` says that the choice is the default itself. ``confirmed``
    marks the end of a session: the choice that it decided for, measured longer; the default, with ratio 1, where
    nothing is surely faster.
    """

    target: str
    threads: int
    label: str
    chain_id: str
    chain: Mapping[str, Any] = field(hash=False)
    choice: Choice
    default: bool = False
    confirmed: bool = False
    status: str = OK
    cost: float | None = None
    unit: str = "s"
    ratio: float | None = None
    spread: float | None = None
    error: float | None = None
    peak_share: float | None = None
    device: str = ""
    evidence: Evidence = Evidence()

    @property
    def valid(self) -> bool:
        """Whether ``ratio`` says how good the choice is."""
        return self.status == OK and self.ratio is not None and self.ratio > 0


@dataclass(frozen=True)
class CutsRecord:
    """Where a network is best cut into chains: ``cuts`` are the numbers of their first nodes, from 0.

    ``cost`` is the whole network's with them, ``default_cost`` with the cuts that a plan without this record has.
    """

    target: str
    threads: int
    label: str
    network_id: str
    cuts: tuple[int, ...]
    cost: float | None = None
    default_cost: float | None = None
    unit: str = "s"
    device: str = ""
    evidence: Evidence = Evidence()

    @property
    def valid(self) -> bool:
        """Whether the cuts were measured to be as fast at least; a session may decide to keep them as they are."""
        return self.cost is not None and self.default_cost is not None and 0 < self.cost <= self.default_cost


Record = ChainRecord | CutsRecord
KINDS: dict[str, type[ChainRecord] | type[CutsRecord]] = {"chain": ChainRecord, "cuts": CutsRecord}


def public_url(url: str) -> str:
    """Return a device's URL without the password, if it has one."""
    return re.sub(r"(://[^:/@]*):[^/]*@", r"\1@", url)


def to_line(record: Record) -> str:
    """Return ``record`` as one line of JSON, without its end; numbers that are not finite become null."""
    kind = next(kind for kind, type_ in KINDS.items() if isinstance(record, type_))
    values = {entry.name: getattr(record, entry.name) for entry in fields(record)}
    values |= {"device": public_url(record.device), "evidence": asdict(record.evidence)}
    if isinstance(record, ChainRecord):
        values["choice"] = record.choice.to_dict()
    plain = {"schema": SCHEMA, "kind": kind, **values}
    return json.dumps(_finite(plain), separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def from_line(line: str) -> Record | None:
    """Return the record on a line; None for a line that is broken, foreign or of another schema."""
    try:
        values = json.loads(line)
        if not isinstance(values, dict) or values.pop("schema", None) != SCHEMA:
            return None
        return _record(KINDS[values.pop("kind")], values)
    except (ValueError, KeyError, TypeError, RecursionError, ScheduleError):
        return None


def is_newer(line: str) -> bool:
    """Whether a line is a record of a later schema."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return False
    schema = values.get("schema") if isinstance(values, dict) else None
    return type(schema) is int and schema > SCHEMA


def _record(kind: type[ChainRecord] | type[CutsRecord], values: dict[str, Any]) -> Record:
    """What a later version added to this schema is ignored."""
    known = {entry.name: values[entry.name] for entry in fields(kind) if entry.name in values}
    known["evidence"] = _evidence(known.get("evidence", {}))
    _check(known)
    if kind is CutsRecord:
        known["cuts"] = tuple(known["cuts"])
        if not known["cuts"] or not all(type(cut) is int and cut >= 0 for cut in known["cuts"]):
            raise ValueError("cuts")
        return CutsRecord(**known)
    known["choice"] = Choice.from_dict(known["choice"])
    if digest(known["chain"]) != known["chain_id"]:
        raise ValueError("chain_id")
    return ChainRecord(**known)


def _evidence(values: Mapping[str, Any]) -> Evidence:
    known = {entry.name: values[entry.name] for entry in fields(Evidence) if entry.name in values}
    for name, value in known.items():
        wanted = {"seed": int, "conditions": dict}.get(name, str)
        if not isinstance(value, wanted):
            raise ValueError(name)
    return Evidence(**known)


TEXTS = ("target", "label", "chain_id", "network_id", "status", "unit", "device")
MOST = 1e18
"""More than any cost or share, in instructions or seconds."""
NUMBERS = ("cost", "default_cost", "ratio", "spread", "error", "peak_share")


def _check(values: Mapping[str, Any]) -> None:
    """Raise ValueError for a value of the wrong type."""
    for name, value in values.items():
        right = True
        if name in TEXTS:
            right = isinstance(value, str)
        elif name in NUMBERS:
            right = value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value < MOST)
            right = right and (value is None or value > -MOST)  # which also holds for no NaN
        elif name == "threads":
            right = type(value) is int and value >= 1
        elif name in ("default", "confirmed"):
            right = isinstance(value, bool)
        elif name in ("chain", "choice"):
            right = isinstance(value, dict)
        if not right:
            raise ValueError(name)
