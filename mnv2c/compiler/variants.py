"""``--target A+B``: the CPUs that one library has kernels for, the most capable first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mnv2c import targets
from mnv2c.errors import TargetError
from mnv2c.package.names import identifier
from mnv2c.targets import Target

SEPARATOR = "+"


def load_variants(target: str | Path, libc: str | None = None) -> tuple[Target, ...]:
    """Return the targets in ``target``, names or files joined by "+", in the order in which a library prefers them.

    That is: what requires more features first; among equals the order of ``targets/host.toml``, then the name. The
    order in which they are given does not matter. TargetError where they do not fit into one library.
    """
    found = [targets.load(part, libc=libc) for part in parts(target)]
    if len(found) == 1:
        return (found[0],)
    _check(found, str(target))
    order = targets.preference()

    def key(entry: Target) -> tuple[int, int, str]:
        return -len(entry.requires), order.index(entry.entry) if entry.entry in order else len(order), entry.name

    return tuple(sorted(found, key=key))


def parts(target: str | Path) -> list[str]:
    """Return the names or files of the targets that one ``--target`` names."""
    text = str(target)
    return [text] if text.endswith(".toml") and Path(text).exists() else text.split(SEPARATOR)


def _check(found: Sequence[Target], given: str) -> None:
    """Refuse what cannot be one library."""
    first, names = found[0], dict[str, Target]()
    for entry in found:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", entry.name):
            raise TargetError(
                f'target "{entry.name}": of several targets a name has letters, digits, ".", "_", "-" only'
            )
        if entry.triple != first.triple:
            raise TargetError(
                f'target "{given}": {first.name} is for {first.triple} and {entry.name} for {entry.triple}; '
                f"a library is for one system: compile them apart, or on one architecture give one --libc"
            )
        twin = names.setdefault(identifier(entry.entry), entry)
        if twin is not entry:
            same = (
                f"{twin.name} and {entry.name} are the same CPU" if twin.name != entry.name else f"{entry.name} twice"
            )
            raise TargetError(f'target "{given}": {same}; name each CPU once')


def together(variants: Sequence[Target]) -> Target:
    """Return the target that the library as a whole is for: the first variant under the names of all.

    It may run on the C libraries that all may run on.
    """
    if len(variants) == 1:
        return variants[0]
    newest = max(variants, key=lambda entry: int(entry.glibc.split(".")[1])).glibc
    return replace(variants[0], name=SEPARATOR.join(entry.name for entry in variants), glibc=newest)


def prefix(library: str, target: Target, variants: Sequence[Target]) -> str:
    """Return what the symbols of a variant's kernels begin with."""
    return library if len(variants) == 1 else f"{library}_{identifier(target.name)}"
