"""``mnv2c doctor``: tells what is installed, what is missing, and what that costs."""

from __future__ import annotations

import argparse

from mnv2c import api
from mnv2c.cli.options import add_json
from mnv2c.cli.output import print_json, print_table

HELP = "check this installation: compiler, linker, emulator, CPU"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Print every finding; exit code 1 where something that is needed is missing."""
    diagnosis = api.doctor()
    if options.json:
        print_json(diagnosis.as_dict())
        return 0 if diagnosis.healthy else 1
    marks = {"ok": "ok", "missing": "MISSING", "optional": "not found"}
    print_table(
        ("what", "state", "found", "needed for"),
        [(item.what, marks[item.state], item.found, item.purpose) for item in diagnosis.findings],
    )
    print()
    print_table(("target", "runs here"), [(row["name"], row["runs"]) for row in diagnosis.targets])
    return 0 if diagnosis.healthy else 1
