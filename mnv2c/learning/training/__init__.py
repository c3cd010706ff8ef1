"""Training of the reference modules on scenes of shapes; needs the extra ``torch``.

It is small on purpose: a start for one's own training, and where the weights in ``examples/weights`` come from.
"""

from mnv2c.learning.training.classification import Classification
from mnv2c.learning.training.detection import Detection
from mnv2c.learning.training.export import export
from mnv2c.learning.training.loop import Recipe, train
from mnv2c.learning.training.segmentation import Segmentation
from mnv2c.learning.training.statistics import estimate_statistics
from mnv2c.learning.training.task import Task

TASKS: dict[str, type[Task]] = {"classifier": Classification, "detector": Detection, "segmenter": Segmentation}
"""What trains each family of networks."""

__all__ = ["TASKS", "Recipe", "Task", "estimate_statistics", "export", "train"]
