"""Compile networks of the zoo and compare every step: ``python -m tests.zoo.measure [--target T] [NAME...]``.

Prints the rows of the table in docs/networks.md.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import onnx

import mnv2c
from tests.zoo.networks import ZOO


@dataclass(frozen=True)
class Measured:
    """What a network became: kernels, operators of the fallbacks, the largest error of all steps, arena bytes.

    ``steps`` is how many tensors were compared; ``fault`` is the line on the first wrong one.
    """

    fused: int
    fallbacks: dict[str, int]
    steps: int
    error: float
    arena: int
    fault: str

    def row(self, name: str) -> str:
        listed = ", ".join(f"{operator} {count}" for operator, count in self.fallbacks.items())
        kernels = f"{self.fused}/{sum(self.fallbacks.values())}"
        return f"| {name} | {kernels} | {listed} | {self.steps} | {self.error:.1e} | {self.arena // 1000:,} |"


def measure(model: onnx.ModelProto, folder: Path, target: str = "host") -> Measured:
    """Compile a model into ``folder`` and compare every step with onnxruntime."""
    path = folder / "network.onnx"
    onnx.save(model, path)
    made = mnv2c.compile(path, target, output=folder / target, check="none")  # verify compares more
    report = mnv2c.verify(made.directory, check=False)
    operators = Counter(str(entry["operator"]).rstrip("0123456789") for entry in made.metadata["fallbacks"])
    return Measured(
        len(made.metadata["chains"]),
        dict(operators.most_common()),
        len(report.comparisons),
        report.max_rel_error,
        made.metadata["arena_bytes"],
        "" if report.passed else report.failure(),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ZOO))
    parser.add_argument("--target", default="host")
    parser.add_argument("--small", action="store_true", help="the small forms")
    arguments = parser.parse_args()
    os.environ["MNV2C_SCHEDULES"] = "none"
    wrong = 0
    for name in arguments.names or ZOO:
        network = ZOO[name]
        if arguments.small and network.small is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            model = network.small_model() if arguments.small else network.model()
            found = measure(model, Path(folder), arguments.target)
        print(found.row(name), *([f"WRONG: {found.fault}"] if found.fault else []), flush=True)
        wrong += bool(found.fault)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
