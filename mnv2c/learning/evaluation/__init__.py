"""Accuracy: metrics, data in the layouts of ImageNet, COCO and VOC, and compiled libraries run over it."""

from mnv2c.learning.evaluation.classification import Ranks
from mnv2c.learning.evaluation.detection import Detections, Objects, Precision, mean_precision
from mnv2c.learning.evaluation.segmentation import Confusion

__all__ = ["Confusion", "Detections", "Objects", "Precision", "Ranks", "mean_precision"]
