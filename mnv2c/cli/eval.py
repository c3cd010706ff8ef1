"""``mnv2c eval``: measures how often a compiled library is right."""

from __future__ import annotations

import argparse

from mnv2c import api
from mnv2c.cli.options import add_json, add_threads, add_variant
from mnv2c.cli.output import print_json
from mnv2c.common.progress import progress

HELP = "measure the accuracy of a compiled library on a folder of pictures or on generated scenes"

_TITLES = {
    "top1": "top-1",
    "top5": "top-5",
    "map": "mAP@[0.5:0.95]",
    "map50": "mAP@0.5",
    "miou": "mIOU",
    "pixels": "pixels right",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("directory", metavar="DIR", help="folder that `mnv2c compile` wrote")
    parser.add_argument(
        "--data",
        required=True,
        metavar="D",
        help="a folder in the layout of ImageNet, COCO or PASCAL VOC; or generated: shapes, shapes:SEED[:COUNT]",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="measure with the first N pictures only")
    parser.add_argument(
        "--by",
        default="library",
        metavar="WHO",
        help="who prepares pictures: library, its own C (default), or pillow, which resizes without aliasing",
    )
    add_threads(parser)
    add_variant(parser)
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Print the figures."""
    with progress(options.quiet or options.json) as report:
        found = api.evaluate(
            options.directory,
            options.data,
            limit=options.limit,
            threads=options.threads,
            by=options.by,
            variant=options.variant,
            progress=report,
        )
    if options.json:
        print_json(found.as_dict())
        return 0
    for name, value in found.figures.items():
        print(f"{_TITLES[name]:<14} {value:8.2%}")
    note = ", emulated" if found.emulated else f", {found.milliseconds:.2f} ms each"
    print(
        f"{found.name} on {found.count} pictures of {found.data}{note}; pictures by {found.by}, figures by {found.tool}"
    )
    return 0
