"""``mnv2c verify``: compares a compiled library with onnxruntime."""

from __future__ import annotations

import argparse

from mnv2c import api
from mnv2c.cli.options import add_json, add_threads
from mnv2c.cli.output import print_json, print_table, say
from mnv2c.errors import VerificationError
from mnv2c.verification.comparison import Comparison

HELP = "compare a compiled library with onnxruntime, step by step"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("directory", metavar="DIR", help="folder that `mnv2c compile` wrote")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random input (default: 0)")
    add_threads(parser)
    parser.add_argument("--variant", metavar="T", help="of kernels for several CPUs only those of this target")
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Print the error of every step; exit code 1 where one is above the tolerance."""
    report = api.verify(
        options.directory, seed=options.seed, check=False, threads=options.threads, variant=options.variant
    )
    if options.json:
        print_json(report.as_dict())
    else:
        rows = [(item.step, item.tensor, _error(item, report.tolerance)) for item in report.comparisons]
        print_table(("step", "tensor", "max rel. error"), rows, right=frozenset({2}))
        say(f"largest {report.max_rel_error:.2e}, tolerance {report.tolerance:.0e}, on {report.where}")
        for name, reason in report.skipped.items():
            say(f"{name}: NOT compared: {reason}")
    if not report.passed:
        raise VerificationError(report.failure())
    return 0


def _error(item: Comparison, usual: float) -> str:
    return f"{item.error:.2e}" + (f" ({item.allowed:.0e} is allowed)" if item.allowed > usual else "")
