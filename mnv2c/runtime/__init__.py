"""Runs compiled libraries from Python; needs only numpy."""

from mnv2c.runtime.description import Description, StepResult
from mnv2c.runtime.frame import ClassScore, Detection, Frame
from mnv2c.runtime.library import Library, load

__all__ = ["ClassScore", "Description", "Detection", "Frame", "Library", "StepResult", "load"]
