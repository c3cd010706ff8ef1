"""What a board says of itself, read from the answer to ``scripts.FACTS``."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from mnv2c.tune.devices.address import ANY_CORE
from mnv2c.tune.devices.base import Machine


@dataclass(frozen=True)
class Facts:
    """The kernel's name of the architecture, the last CPU that is online (ANY_CORE if unknown), and a description."""

    architecture: str = ""
    last_core: int = ANY_CORE
    machine: Machine = field(default_factory=lambda: Machine("", 0))


def read_facts(text: str) -> Facts:
    """Read NAME=VALUE lines; what is missing or unreadable stays empty."""
    said: dict[str, list[str]] = defaultdict(list)
    for line in text.splitlines():
        name, found, value = line.strip().partition("=")
        if found and value.strip() and value.strip() not in said[name]:
            said[name].append(value.strip())
    cores = read_cores("".join(said["online"][:1]))
    parts = f"CPU part {', '.join(said['part'])}" if said["part"] else ""
    names = [*said["board"], " ".join(said["android"]), *said["model"], parts]
    machine = Machine(", ".join(name for name in names if name), len(cores), "".join(said["system"][:1]))
    return Facts("".join(said["machine"][:1]), max(cores, default=ANY_CORE), machine)


def read_cores(text: str) -> list[int]:
    """The CPUs of a list as Linux writes it, such as ``0-3,6``; empty where it is none."""
    cores: list[int] = []
    try:
        for part in text.strip().split(","):
            first, _, last = part.partition("-")
            cores += range(int(first), int(last or first) + 1)
    except ValueError:
        return []
    return cores
