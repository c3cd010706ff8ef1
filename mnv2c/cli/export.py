"""``mnv2c export``: writes a model as an ONNX file."""

from __future__ import annotations

import argparse

from mnv2c import api
from mnv2c.cli.options import add_model, add_weights, model_options
from mnv2c.cli.output import say

HELP = "write a model as an ONNX file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add_model(parser)
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the ONNX file to write")
    add_weights(parser)


def execute(options: argparse.Namespace) -> int:
    """Write the file and say where it is."""
    path = api.export(
        options.model,
        options.output,
        weights=options.weights,
        weights_source=options.weights_source,
        seed=options.seed,
        **model_options(options),
    )
    say(str(path))
    return 0
