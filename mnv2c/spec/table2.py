"""Table 2 of the paper (Sandler et al., CVPR 2018, section 4) as literal data; everything else is derived from it."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One line of bottlenecks: expansion ``t``, output channels ``c``, repeats ``n``, stride ``s`` of the first."""

    t: int
    c: int
    n: int
    s: int


STEM_CHANNELS = 32  # conv2d 3x3, stride 2, on the image
STEM_STRIDE = 2

TABLE2: tuple[Row, ...] = (
    Row(t=1, c=16, n=1, s=1),
    Row(t=6, c=24, n=2, s=2),
    Row(t=6, c=32, n=3, s=2),
    Row(t=6, c=64, n=4, s=2),
    Row(t=6, c=96, n=3, s=1),
    Row(t=6, c=160, n=3, s=2),
    Row(t=6, c=320, n=1, s=1),
)

LAST_CHANNELS = 1280  # conv2d 1x1 before the pooling; not shrunk below width 1
CLASSES = 1000  # k of the paper's last line
EXPANSION = 6  # the value of t that a spec's ``expansion`` replaces
KERNEL = 3  # "all spatial convolutions use 3x3 kernels"
IMAGE_CHANNELS = 3
