"""``python -m tools.digests``: see the package."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import tools.digests
from tools.digests.compare import EACH, WHOLE, differences, load, write
from tools.digests.compiling import compiled
from tools.digests.matrix import ALL, QUICK


def main() -> int:
    """Write or compare; 1 where anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tools.digests", description=tools.digests.__doc__.splitlines()[0])
    parser.add_argument("what", choices=("write", "compare"))
    parser.add_argument("file", type=Path, help="the file of digests")
    parser.add_argument("--all", action="store_true", help=f"the {len(ALL)} cases of the matrix, not {len(QUICK)}")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at a time (default: 1)")
    parser.add_argument(
        "--except", dest="ignored", action="append", default=[], choices=(*WHOLE, *EACH), metavar="KIND"
    )
    given = parser.parse_args()
    before = load(given.file) if given.what == "compare" else {}
    start, found, lines = time.monotonic(), {}, []
    for case, digests in compiled(ALL if given.all else QUICK, given.jobs):
        found[case.name] = digests
        print(f"[{time.monotonic() - start:6.0f} s] {case.name}", file=sys.stderr, flush=True)
        if given.what == "write":
            continue
        if case.name not in before:
            lines.append(f"{case.name}: is not in {given.file}")
            continue
        lines += differences(case.name, before[case.name], digests, frozenset(given.ignored))
    if given.what == "write":
        write(given.file, found)
    print("\n".join(lines) or f"{len(found)} cases: nothing differs" if given.what == "compare" else given.file)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
