"""``mnv2c scenes``: draws pictures of shapes with their classes, boxes and masks into a folder."""

from __future__ import annotations

import argparse

from mnv2c import api
from mnv2c.cli.output import say
from mnv2c.common.progress import progress

HELP = "draw labelled pictures of shapes into a folder in the layout of ImageNet, COCO or PASCAL VOC"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("layout", metavar="LAYOUT", help="imagenet (classes), coco (boxes) or voc (masks and boxes)")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder to make; it must not exist yet")
    parser.add_argument("--seed", type=int, metavar="N", help="of the scenes (default: those held out from training)")
    parser.add_argument("--count", type=int, default=500, metavar="N", help="how many (default: 500)")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")


def execute(options: argparse.Namespace) -> int:
    """Draw, and say where."""
    with progress(options.quiet) as report:
        folder = api.draw_scenes(
            options.output, options.layout, seed=options.seed, count=options.count, progress=report
        )
    say(str(folder))
    return 0
