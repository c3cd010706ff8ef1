"""``mnv2c inspect``: layers, costs and memory of a model, without compiling it."""

from __future__ import annotations

import argparse

from mnv2c import api
from mnv2c.cli.options import add_json, add_model, model_options
from mnv2c.cli.output import print_json

HELP = "show layers, parameters, multiply-adds and memory of a model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add_model(parser)
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Print the tables, or the same figures as JSON."""
    figures = api.inspect(options.model, **model_options(options))
    if options.json:
        print_json(figures)
    else:
        print(api.render_inspection(figures).rstrip())
    return 0
