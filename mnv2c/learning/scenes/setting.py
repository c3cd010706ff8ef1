"""What scenes look like, as data: how large, how many shapes of what size, how much else."""

from __future__ import annotations

from dataclasses import dataclass

from mnv2c.errors import UserError

Range = tuple[float, float]
Whole = tuple[int, int]

SMALLEST = 16
LARGEST = 8192


@dataclass(frozen=True)
class Setting:
    """A kind of scene; every range holds its ends. UserError for a size out of reach.

    ``objects`` and ``clutter`` count the shapes of the classes and the dull ones; ``size`` is half an object's extent
    as a share of the scene's shorter side; ``squash`` is its height over its width. ``aspect`` is width over height of
    the scene before it was stretched to ``height`` x ``image_width`` pixels; None: not stretched. ``noise`` is the
    standard deviation of every pixel's, of 255. ``softness`` is how many pixels wide outlines are blurred.
    """

    task: str
    height: int = 256
    image_width: int = 256
    objects: Whole = (1, 6)
    size: Range = (0.1, 0.26)
    clutter: Whole = (0, 4)
    squash: Range = (0.8, 1.25)
    aspect: Range | None = None
    noise: Range = (0.0, 12.0)
    softness: Range = (0.5, 1.6)

    def __post_init__(self) -> None:
        """Check the picture's size."""
        for extent in (self.height, self.image_width):
            if not SMALLEST <= extent <= LARGEST:
                raise UserError(f"scenes of {self.height}x{self.image_width} pixels: {SMALLEST} to {LARGEST} each")


CLASSIFICATION = Setting("classifier", objects=(1, 1), size=(0.22, 0.44))
DETECTION = Setting("detector")
SEGMENTATION = Setting("segmenter", objects=(1, 4), size=(0.15, 0.36))

SETTINGS = {setting.task: setting for setting in (CLASSIFICATION, DETECTION, SEGMENTATION)}
"""The three kinds by the family of networks that they are for."""
