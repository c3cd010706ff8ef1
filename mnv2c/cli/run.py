"""``mnv2c run``: runs a compiled library on pictures."""

from __future__ import annotations

import argparse

from mnv2c import api
from mnv2c.cli.options import add_json, add_threads, add_variant
from mnv2c.cli.output import print_json, say

HELP = "run a compiled library on pictures and print classes, detections or what a mask holds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("directory", metavar="DIR", help="folder that `mnv2c compile` wrote")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a picture file (PNG, JPEG, WebP, BMP, GIF, PPM)")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the picture with the answer drawn")
    parser.add_argument("--top", type=int, default=5, metavar="K", help="number of classes to print (default: 5)")
    parser.add_argument(
        "--score", type=float, default=0.3, metavar="S", help="least score of detections (default: 0.3)"
    )
    parser.add_argument("--labels", metavar="FILE", help="text file with one class name per line (default: built in)")
    averaged = "segmenters compiled for logits: average with that of another folder, such as another size; repeatable"
    parser.add_argument("--also", metavar="DIR", action="append", default=[], help=averaged)
    parser.add_argument(
        "--flip", action="store_true", help="segmenters compiled for logits: average with the mirror image"
    )
    add_threads(parser)
    add_variant(parser)
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Print the answer for each picture, the best first."""
    answers = api.run(
        options.directory,
        options.images,
        top=options.top,
        score=options.score,
        labels=options.labels,
        picture=options.output,
        threads=options.threads,
        also=options.also,
        flip=options.flip,
        variant=options.variant,
    )
    if options.json:
        print_json([answer.as_dict() for answer in answers])
        return 0
    for answer in answers:
        say(f"{answer.image}  ({answer.milliseconds:.2f} ms{', emulated' if answer.emulated else ''})")
        for entry in answer.best or ():
            say(f"  {entry.score:8.4f}  {entry.label}")
        for thing in answer.detections or ():
            x0, y0, x1, y1 = thing.box
            say(f"  {thing.score:8.4f}  {thing.label}  from {x0:.0f},{y0:.0f} to {x1:.0f},{y1:.0f}")
        for area in answer.mask or ():
            say(f"  {area.share:8.1%}  {area.label}")
    if answers and answers[0].note:
        say(f"note: {answers[0].note}")
    return 0
