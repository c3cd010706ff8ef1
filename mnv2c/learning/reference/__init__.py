"""The networks as PyTorch modules, written from the paper: a second opinion on the numbers, and a start for training.

Needs the extra ``torch`` (``pip install 'mnv2c[torch]'``).
"""

from mnv2c.learning.reference.blocks import Bottleneck, Convolution
from mnv2c.learning.reference.detector import Detector
from mnv2c.learning.reference.load import load_weights
from mnv2c.learning.reference.network import Body, Classifier, Layout
from mnv2c.learning.reference.segmenter import Segmenter
from mnv2c.spec import ModelSpec

__all__ = ["Bottleneck", "Classifier", "Convolution", "Detector", "Segmenter", "build", "load_weights"]

FAMILIES: dict[str, type[Body]] = {"classifier": Classifier, "detector": Detector, "segmenter": Segmenter}


def build(spec: ModelSpec, layout: Layout = "nchw") -> Body:
    """The module of the spec's family; its weights are random. ``layout`` is that of the input."""
    return FAMILIES[spec.family](spec, layout)
