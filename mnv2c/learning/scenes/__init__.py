"""Generated pictures of shapes with exact boxes and masks: data to train on and to measure with.

Seeded, and no file is needed. Colour, shape and texture each tell some classes apart, so that a network fed with
swapped colours, a wrong scale or shifted windows answers visibly worse.
"""

from mnv2c.learning.scenes.classes import LABELS, SHAPE_CLASSES, ShapeClass
from mnv2c.learning.scenes.collection import HELD_OUT_SEED, Scenes
from mnv2c.learning.scenes.draw import Scene, draw
from mnv2c.learning.scenes.setting import CLASSIFICATION, DETECTION, SEGMENTATION, SETTINGS, Setting

__all__ = [
    "CLASSIFICATION",
    "DETECTION",
    "HELD_OUT_SEED",
    "LABELS",
    "SEGMENTATION",
    "SETTINGS",
    "SHAPE_CLASSES",
    "Scene",
    "Scenes",
    "Setting",
    "ShapeClass",
    "draw",
]
