"""``mnv2c cmake-dir``: where CMake finds ``mnv2c_add_model``."""

from __future__ import annotations

import argparse

from mnv2c import api

HELP = "print the folder of the CMake package that compiles models as part of a build"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb: none."""


def execute(options: argparse.Namespace) -> int:
    """Print the folder."""
    print(api.cmake_dir())
    return 0
