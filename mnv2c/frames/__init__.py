"""Frames in, answers out: the C that a library carries for pictures of a camera, boxes, masks, classes and labels."""

from mnv2c.frames.description import Boxes, Classes, Frames, Mask, Picture, Scores
from mnv2c.frames.source import FramesCode, frames_code

__all__ = ["Boxes", "Classes", "Frames", "FramesCode", "Mask", "Picture", "Scores", "frames_code"]
