"""Tries networks one after the other, counts what they have, and writes what fails, shrunk, with how to repeat it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx

from tests.fuzz.networks.check import Outcome, check
from tests.fuzz.networks.draw import draw
from tests.fuzz.networks.features import features
from tests.fuzz.networks.graph import Net
from tests.fuzz.networks.options import HOST, Options, draw_options
from tests.fuzz.networks.render import model_of
from tests.fuzz.networks.shrink import shrink

COMMAND = "python -m tests.fuzz.networks"


@dataclass(frozen=True)
class Tried:
    """Network ``index`` with its options, and how it fared."""

    index: int
    net: Net
    options: Options
    outcome: Outcome

    @property
    def features(self) -> list[str]:
        return sorted(features(self.net)) + self.options.features()


@dataclass
class Summary:
    """Counts over many networks."""

    kinds: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    features: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, index: int, outcome: Outcome, found: Iterable[str]) -> None:
        self.kinds[outcome.kind] += 1
        self.features.update(found)
        if outcome.kind == "refused":
            self.refusals[outcome.detail] += 1
        if outcome.failed:
            self.failures[index] = f"{outcome.kind}: {outcome.detail}"

    def text(self) -> str:
        lines = [f"{sum(self.kinds.values())} networks: " + _counted(self.kinds)]
        lines += [f"refused: {_counted(self.refusals)}"] if self.refusals else []
        lines += [f"drawn: {_counted(self.features)}"]
        lines += [f"{index}: {said}" for index, said in sorted(self.failures.items())]
        return "\n".join(lines)


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def hunt(seed: int, indices: Iterable[int], targets: Sequence[str] = HOST) -> Iterator[Tried]:
    """Try these networks of a seed."""
    for index in indices:
        net, options = draw(seed, index), draw_options(seed, index, targets)
        yield Tried(index, net, options, check(model_of(net), options))


def shrunk(tried: Tried, seconds: float) -> Tried:
    """The same failure of a smaller network."""

    def fails(net: Net, options: Options) -> bool:
        return check(model_of(net), options).sign == tried.outcome.sign

    net, options = shrink(tried.net, tried.options, fails, seconds)
    return Tried(tried.index, net, options, check(model_of(net), options))


def write(tried: Tried, folder: Path, name: str) -> str:
    """Write a failure as an ONNX file with a text beside it; return the command that repeats it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.onnx"
    onnx.save(model_of(tried.net), path)
    command = f"{COMMAND} repeat {shlex.quote(str(path))} --options {shlex.quote(tried.options.to_json())}"
    operators = "\n".join(f"{op.name}({', '.join(op.sources)}) {dict(op.args)}" for op in tried.net.ops)
    text = f"{command}\n{tried.outcome.kind}: {tried.outcome.detail}\n{tried.net.inputs}\n{operators}\n"
    path.with_suffix(".txt").write_text(text + f"outputs {', '.join(tried.net.outputs)}\n", encoding="utf-8")
    return command
