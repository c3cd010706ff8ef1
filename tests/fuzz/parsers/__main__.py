"""Fuzz all parsers from the command line: see ``--help``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.fuzz.parsers.driver import clean, fuzz, table
from tests.fuzz.parsers.known import PARSERS, TOTAL


def main() -> int:
    """Run the driver and print its table; 1 where anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.parsers", description=__doc__)
    parser.add_argument("parsers", nargs="*", metavar="PARSER", help=f"default: all of {', '.join(PARSERS)}")
    parser.add_argument("--inputs", type=int, default=TOTAL // 100, metavar="N", help="over all parsers, by shares")
    parser.add_argument("--seconds", type=float, metavar="S", help="stop after that time at the latest")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes at a time")
    parser.add_argument("--seed", default="0", help="another one gives other inputs")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz/parsers"), help="keeps corpus and findings")
    options = parser.parse_args()
    clean(options.folder)
    start = time.monotonic()
    tallies = fuzz(
        options.inputs,
        options.folder.absolute(),
        names=options.parsers or tuple(PARSERS),
        seed=options.seed,
        workers=options.workers,
        seconds=options.seconds,
    )
    print(table(tallies))
    print(f"{time.monotonic() - start:,.0f} s")
    found = [path for tally in tallies.values() for path in tally.findings.values()]
    for path in found:
        print(f"{path}: {path.with_suffix('.report').read_text(errors='replace').splitlines()[0][:200]}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
