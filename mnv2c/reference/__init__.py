"""The networks as PyTorch modules, written from the paper: a second opinion on the numbers, and a start for training.

Needs the extra ``torch`` (``pip install 'mnv2c[torch]'``).
"""

from mnv2c.reference.blocks import Bottleneck, Convolution
from mnv2c.reference.detector import Detector
from mnv2c.reference.load import load_weights
from mnv2c.reference.network import Classifier
from mnv2c.reference.segmenter import Segmenter

__all__ = ["Bottleneck", "Classifier", "Convolution", "Detector", "Segmenter", "load_weights"]
