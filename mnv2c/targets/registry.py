"""Reads target files; every mistake in one is a TargetError that names file and field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path

from mnv2c import data
from mnv2c.errors import TargetError, nearest
from mnv2c.targets import features
from mnv2c.targets.host import Machine, detect
from mnv2c.targets.systems import ARCHITECTURES, PLATFORMS, libcs
from mnv2c.targets.target import ISA_ARCHITECTURE, Target

HOST = "host"
HOST_KEYS = ("name", "description", "by_part", "by_features")
LEAST = {"l3_bytes": 0}
"""The smallest legal value of an integer field; 1 where it is not listed."""


def available() -> list[Target]:
    """All targets by name, ``host`` first where this machine is supported."""
    entries = [load(name) for name in names() if name != HOST]
    try:
        return [load(HOST), *entries]
    except TargetError:
        return entries


def names() -> list[str]:
    """The names that ``load`` accepts, sorted."""
    return sorted(path.stem for path in data.folder("targets").glob("*.toml"))


def preference() -> tuple[str, ...]:
    """The targets in the order in which ``host`` prefers them: those known by their part, then those by features."""
    path = data.folder("targets") / f"{HOST}.toml"
    table = _read(path)
    keys = ("by_part", "by_features")
    return tuple(dict.fromkeys(name for key in keys for name in _strings(table.get(key, []), path, key)))


def load(name_or_path: str | Path, *, libc: str | None = None, machine: Machine | None = None) -> Target:
    """The target of that name or file (``*.toml``); ``machine`` replaces what ``host`` detects (tests)."""
    text = str(name_or_path)
    if text.endswith(".toml"):
        path = Path(text)
    elif text in names():
        path = data.folder("targets") / f"{text}.toml"
    else:
        known = names()
        hint = nearest(text, known) or f" (known: {', '.join(known)}; or a .toml file)"
        raise TargetError(f'target "{text}": unknown{hint}')
    table = _read(path)
    target = _host(table, path, machine) if "by_features" in table else _target(table, path)
    return target.with_libc(libc) if libc is not None else target


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TargetError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TargetError(f"{path}: not valid TOML: {error}") from error


def _host(table: Mapping[str, object], path: Path, machine: Machine | None) -> Target:
    for key in table:
        if key not in HOST_KEYS:
            raise TargetError(f'{path}: unknown key "{key}"{nearest(key, HOST_KEYS)}')
    machine = machine or detect()
    entry = _best(table, path, machine)
    return replace(
        entry,
        name=str(table.get("name", HOST)),
        description=f"this machine: {entry.description}",
        l1d_bytes=machine.l1d_bytes or entry.l1d_bytes,
        l2_bytes=machine.l2_bytes or entry.l2_bytes,
        l3_bytes=machine.l3_bytes if machine.l1d_bytes else entry.l3_bytes,
    )


def _best(table: Mapping[str, object], path: Path, machine: Machine) -> Target:
    by_part = [load(name) for name in _strings(table.get("by_part", []), path, "by_part")]
    by_features = [load(name) for name in _strings(table["by_features"], path, "by_features")]
    for target in by_part:
        if machine.parts.intersection(target.cpu_parts) and _runs(machine, target):
            return target
    for target in by_features:
        if _runs(machine, target):
            return target
    same = [target for target in by_features if target.arch == machine.arch]
    if not same:
        raise TargetError(f"host: no target for {machine.arch}; name another with --target (see `mnv2c targets`)")
    lacking = [name for name in same[-1].requires if name not in machine.features]
    raise TargetError(f"host: this CPU lacks {', '.join(lacking)}, needed by the least target {same[-1].name}")


def _runs(machine: Machine, target: Target) -> bool:
    return machine.arch == target.arch and machine.features.issuperset(target.requires)


def _target(table: Mapping[str, object], path: Path) -> Target:
    known = {field.name: field for field in fields(Target) if field.name != "entry"}
    for key in table:
        if key not in known:
            raise TargetError(f'{path}: unknown key "{key}"{nearest(key, known)}')
    values: dict[str, object] = {}
    for name, field in known.items():
        if name in table:
            values[name] = _value(table[name], str(field.type), path, name)
        elif field.default is MISSING:
            raise TargetError(f"{path}: {name} is missing")
    target = Target(**values)  # type: ignore[arg-type]  # every field was checked against its annotation
    _check(target, path)
    return replace(target, entry=target.name)


def _value(value: object, annotation: str, path: Path, name: str) -> object:
    if annotation.startswith("tuple"):
        return _strings(value, path, name)
    if annotation == "int":
        least = LEAST.get(name, 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise TargetError(f"{path}: {name} must be an integer of at least {least}, not {value!r}")
    elif annotation == "bool":
        if not isinstance(value, bool):
            raise TargetError(f"{path}: {name} must be true or false, not {value!r}")
    elif not isinstance(value, str):
        raise TargetError(f"{path}: {name} must be a string, not {value!r}")
    return value


def _strings(value: object, path: Path, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TargetError(f"{path}: {name} must be a list of strings, not {value!r}")
    return tuple(value)


def _check(target: Target, path: Path) -> None:
    """Refuse values that no later stage could use."""
    _one_of(target.arch, ARCHITECTURES, path, "triple: architecture")
    _one_of(target.libc, libcs(target.arch), path, "libc")
    _one_of(target.isa, tuple(ISA_ARCHITECTURE), path, "isa")
    wanted = PLATFORMS[target.arch, target.libc].triple
    if target.triple != wanted:
        raise TargetError(f'{path}: triple must be "{wanted}", not "{target.triple}"')
    if ISA_ARCHITECTURE[target.isa] != target.arch:
        raise TargetError(f'{path}: isa "{target.isa}" does not exist on {target.arch}')
    if not target.glibc.startswith("2.") or not target.glibc[2:].isdigit():
        raise TargetError(f'{path}: glibc must be a version like "2.17", not "{target.glibc}"')
    for feature in target.requires:
        _one_of(feature, features.KNOWN[target.arch], path, "requires")
    for feature in target.features:
        if feature[:1] not in ("+", "-"):
            raise TargetError(f'{path}: features: "{feature}" must begin with + or -')


def _one_of(word: str, candidates: tuple[str, ...], path: Path, field: str) -> None:
    if word not in candidates:
        hint = nearest(word, candidates) or f" (known: {', '.join(candidates)})"
        raise TargetError(f'{path}: {field} "{word}" is unknown{hint}')
