"""Frames through a compiled library from Python: one call each, NumPy arrays in, answers out.

Usage: camera.py DIR PICTURE... [--rotation DEGREES]

Each picture stands for a camera's frame. An OpenCV camera's frames would be ``Frame.of(array, "BGR")``; those of a
decoder keep their planes: ``Frame((luma, chroma), width, height, "NV12")``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import mnv2c
from mnv2c.errors import Mnv2cError
from mnv2c.runtime import Frame


def main() -> int:
    """Print what the library sees in each picture; returns the exit code."""
    parser = argparse.ArgumentParser(description="run pictures through a compiled library as a camera's frames")
    parser.add_argument("directory", type=Path, help="folder that `mnv2c compile` wrote")
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--rotation", type=int, default=0, help="degrees clockwise until upright: 0, 90, 180, 270")
    options = parser.parse_args()
    library = mnv2c.load(options.directory)
    for path in options.pictures:
        with Image.open(path) as opened:
            pixels = np.array(opened.convert("RGB"))
        answer = library.run_frame(Frame.of(pixels, rotation=options.rotation))
        print(path)
        if isinstance(answer, np.ndarray):
            for class_id, count in zip(*np.unique(answer, return_counts=True), strict=True):
                print(f"  {count / answer.size:6.1%}  {library.frames.label(int(class_id))}")
        else:
            for each in answer[:5]:
                print(f"  {each.score:.4f}  {each.label}", *[f"{value:.1f}" for value in getattr(each, "box", ())])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Mnv2cError, OSError) as error:
        sys.exit(f"camera: {error}")
