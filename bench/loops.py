"""Prints how many cycles the inner loops of a library for AArch64 take per product, by LLVM's models of in-order cores.

    python bench/loops.py DIR [--cpu cortex-a53,cortex-a55] [--least 16]

DIR is a compiled folder. A loop is what a backward branch encloses without another branch; those of fewer FMLA than
``--least`` are left out, and equal ones (instructions and FMLA) are counted together. Needs LLVM's objdump and mca.
The models know neither cache misses nor all that the A53's decoder can pair: compare loops, do not add them up.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

BRANCH = re.compile(r"(?:b\.\w+|cbnz|cbz|tbnz|tbz)\s+(?:\w+, )?(?:#\w+, )?0x([0-9a-f]+)")
LEAVES = ("b", "b.", "bl", "blr", "br", "cb", "tb", "ret")
ITERATIONS = 100


@dataclass(frozen=True)
class Loop:
    """The instructions of a loop without its branch."""

    body: tuple[str, ...]

    @property
    def products(self) -> int:
        """FMLA in the loop."""
        return sum(line.startswith("fmla") for line in self.body)

    @property
    def summary(self) -> str:
        """The commonest instructions."""
        found = Counter(line.split()[0] for line in self.body)
        return ", ".join(f"{count} {name}" for name, count in found.most_common(4))


def disassembled(library: Path) -> list[tuple[int, str]]:
    """Addresses and instructions."""
    command = ["llvm-objdump", "-d", "--no-show-raw-insn", "--no-leading-headers", str(library)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = (re.match(r"\s*([0-9a-f]+):\s+(.*)", line) for line in text.splitlines())
    return [(int(match[1], 16), re.sub(r"\s*<.*>$", "", match[2]).replace("\t", " ")) for match in found if match]


def inner_loops(instructions: list[tuple[int, str]]) -> list[Loop]:
    """The loops that enclose no other branch."""
    places = {address: index for index, (address, _) in enumerate(instructions)}
    loops = []
    for index, (address, line) in enumerate(instructions):
        match = BRANCH.match(line)
        if match is None or int(match[1], 16) >= address or int(match[1], 16) not in places:
            continue
        body = tuple(text for _, text in instructions[places[int(match[1], 16)] : index])
        if not any(text.split()[0] in LEAVES or text.startswith(("b.", "cb", "tb")) for text in body):
            loops.append(Loop(body))
    return loops


def cycles(loop: Loop, cpu: str) -> float:
    """Cycles of one iteration."""
    command = ["llvm-mca", "-mtriple=aarch64", f"-mcpu={cpu}", f"-iterations={ITERATIONS}", "--json"]
    text = "\n".join(loop.body) + "\n"
    report = json.loads(subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout)
    return float(report["CodeRegions"][0]["SummaryView"]["TotalCycles"]) / ITERATIONS


def main() -> int:
    """Print the table; 1 where a tool is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cpu", default="cortex-a53,cortex-a55")
    parser.add_argument("--least", type=int, default=16, help="fewest FMLA of a loop")
    arguments = parser.parse_args()
    cpus = arguments.cpu.split(",")
    try:
        library = next(iter(sorted(arguments.folder.glob("*.so.*"))))
        loops = [loop for loop in inner_loops(disassembled(library)) if loop.products >= arguments.least]
        groups = Counter((len(loop.body) + 1, loop.products) for loop in loops)
        examples = {(len(loop.body) + 1, loop.products): loop for loop in loops}
        print(f"| loops | instructions | FMLA | {' | '.join(f'{cpu}: cycles per FMLA' for cpu in cpus)} | mostly |")
        print("|" + "---|" * (len(cpus) + 4))
        for (size, products), count in groups.most_common():
            loop = examples[size, products]
            figures = " | ".join(f"{cycles(loop, cpu) / products:.2f}" for cpu in cpus)
            print(f"| {count} | {size} | {products} | {figures} | {loop.summary} |")
    except (OSError, StopIteration, subprocess.CalledProcessError) as error:
        print(f"error: {error or 'no library in this folder'}; llvm-objdump and llvm-mca are needed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
