"""``mnv2c run``: runs a compiled library on pictures."""

from __future__ import annotations

import argparse

from mnv2c import api
from mnv2c.cli.options import add_json, add_threads, add_variant
from mnv2c.cli.output import print_json

HELP = "run a compiled library on pictures and print the best classes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("directory", metavar="DIR", help="folder that `mnv2c compile` wrote")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a picture file (PNG, JPEG, …)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write what the network saw, with its answer")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="number of classes to print (default: 5)")
    parser.add_argument("--labels", metavar="FILE", help="text file with one class name per line")
    add_threads(parser)
    add_variant(parser)
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Print the best classes of each picture, best first."""
    answers = api.run(
        options.directory,
        options.images,
        top=options.top,
        labels=options.labels,
        picture=options.output,
        threads=options.threads,
        variant=options.variant,
    )
    if options.json:
        print_json([answer.as_dict() for answer in answers])
        return 0
    for answer in answers:
        print(f"{answer.image}  ({answer.milliseconds:.2f} ms{', emulated' if answer.emulated else ''})")
        for entry in answer.best:
            print(f"  {entry.probability:8.4f}  {entry.label}")
    if answers and answers[0].note:
        print(f"note: {answers[0].note}")
    return 0
