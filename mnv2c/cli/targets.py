"""``mnv2c targets``: lists the CPUs to compile for."""

from __future__ import annotations

import argparse

from mnv2c import api
from mnv2c.cli.options import add_json
from mnv2c.cli.output import print_json, print_table

HELP = "list the targets and where their code can run from here"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Print one line per target."""
    rows = api.targets()
    if options.json:
        print_json(rows)
        return 0
    print_table(
        ("target", "isa", "libc", "runs here", "description"),
        [(row["name"], row["isa"], row["libc"], row["runs"], row["description"]) for row in rows],
    )
    return 0
