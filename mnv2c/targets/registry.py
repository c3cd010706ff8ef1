"""Reads target files; every mistake in one is a TargetError that names file and field."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path

from mnv2c.common import data
from mnv2c.common.escape import quoted, shown
from mnv2c.common.reading import read_limited
from mnv2c.errors import TargetError, nearest
from mnv2c.targets import features
from mnv2c.targets.fields import MOST_ITEMS, check_text, check_whole
from mnv2c.targets.host import Machine, detect
from mnv2c.targets.systems import ARCHITECTURES, PLATFORMS, libcs
from mnv2c.targets.target import ISA_ARCHITECTURE, ISA_VECTORS, Target

HOST = "host"
HOST_KEYS = ("name", "description", "by_part", "by_features")
LARGEST_FILE = 1 << 18


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
        raise TargetError(f"target {quoted(text)}: unknown{hint}")
    table = _read(path)
    target = _host(table, path, machine) if "by_features" in table else _target(table, path)
    return target.with_libc(libc) if libc is not None else target


def _read(path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(read_limited(path, LARGEST_FILE).decode("utf-8"))
    except OSError as error:
        raise TargetError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # tomllib raises both, besides its own kind of ValueError
        raise TargetError(f"{path}: not valid TOML: {error}") from None


def _host(table: Mapping[str, object], path: Path, machine: Machine | None) -> Target:
    for key in table:
        if key not in HOST_KEYS:
            raise TargetError(f"{path}: unknown key {quoted(key)}{nearest(key, HOST_KEYS)}")
    machine = machine or detect()
    entry = _best(table, path, machine)
    return replace(
        entry,
        name=check_text("name", table.get("name", HOST), path),
        description=f"this machine: {entry.description}",
        l1d_bytes=machine.l1d_bytes or entry.l1d_bytes,
        l2_bytes=machine.l2_bytes or entry.l2_bytes,
        l3_bytes=machine.l3_bytes if machine.l1d_bytes else entry.l3_bytes,
    )


def _best(table: Mapping[str, object], path: Path, machine: Machine) -> Target:
    by_part, by_features = (
        [_shipped(name, path, key) for name in _strings(table.get(key, []), path, key)]
        for key in ("by_part", "by_features")
    )
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


def _shipped(name: str, path: Path, key: str) -> Target:
    """Another target by its name; a file could name this one in turn."""
    if name == HOST or name.endswith(".toml"):
        raise TargetError(f"{path}: {key} {quoted(name)} must be the name of another target (see `mnv2c targets`)")
    return load(name)


def _runs(machine: Machine, target: Target) -> bool:
    return machine.arch == target.arch and machine.features.issuperset(target.requires)


def _target(table: Mapping[str, object], path: Path) -> Target:
    known = {field.name: field for field in fields(Target) if field.name != "entry"}
    for key in table:
        if key not in known:
            raise TargetError(f"{path}: unknown key {quoted(key)}{nearest(key, known)}")
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
        return tuple(check_text(name, item, path) for item in _strings(value, path, name))
    if annotation == "int":
        return check_whole(name, value, path)
    if annotation == "bool":
        if not isinstance(value, bool):
            raise TargetError(f"{path}: {name} must be true or false, not {shown(value)}")
        return value
    return check_text(name, value, path)


def _strings(value: object, path: Path, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TargetError(f"{path}: {name} must be a list of strings, not {shown(value)}")
    if len(value) > MOST_ITEMS:
        raise TargetError(f"{path}: {name} has {len(value)} entries; at most {MOST_ITEMS} are read")
    return tuple(value)


def _check(target: Target, path: Path) -> None:
    """Refuse values that no later stage could use."""
    _one_of(target.arch, ARCHITECTURES, path, "triple: architecture")
    _one_of(target.libc, libcs(target.arch), path, "libc")
    _one_of(target.isa, tuple(ISA_ARCHITECTURE), path, "isa")
    wanted = PLATFORMS[target.arch, target.libc].triple
    if target.triple != wanted:
        raise TargetError(f'{path}: triple must be "{wanted}", not {quoted(target.triple)}')
    if ISA_ARCHITECTURE[target.isa] != target.arch:
        raise TargetError(f'{path}: isa "{target.isa}" does not exist on {target.arch}')
    registers, bits = ISA_VECTORS[target.isa]
    if target.vector_bits != bits or target.vector_registers > registers:
        raise TargetError(
            f'{path}: isa "{target.isa}" has up to {registers} vector_registers of vector_bits = {bits}, not '
            f"{target.vector_registers} of {target.vector_bits}"
        )
    for feature in target.requires:
        _one_of(feature, features.KNOWN[target.arch], path, "requires")


def _one_of(word: str, candidates: tuple[str, ...], path: Path, field: str) -> None:
    if word not in candidates:
        hint = nearest(word, candidates) or f" (known: {', '.join(candidates)})"
        raise TargetError(f"{path}: {field} {quoted(word)} is unknown{hint}")
