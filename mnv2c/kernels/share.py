"""Which channels of a stage one part of a call computes, where kernels are cut into groups of columns."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from mnv2c.kernels.ir import Index, KernelBuilder, Value, divided, equal, minimum


@dataclass(frozen=True)
class Share:
    """Part ``part`` of ``parts``, both for tiles and for the vectors that lie under them.

    A stage has ``tiles`` whole tiles of ``vectors`` vectors each; what is left of its channels goes to the last part.
    A stage that follows it may have fewer whole vectors, where a tile's last one only fills up its channels.
    """

    part: Index = 0
    parts: int = 1
    tiles: int = 0
    vectors: int = 1

    @property
    def is_last(self) -> Value:
        """Whether this part computes what is left."""
        return True if self.parts == 1 else equal(self.part, self.parts - 1)

    @property
    def is_first(self) -> Value:
        """Whether this is the part that does what is done once."""
        return True if self.parts == 1 else equal(self.part, 0)

    def largest(self, vectors: int) -> int:
        """Return how many of a stage's ``vectors`` the busiest of ``parts`` parts computes."""
        bounds = [-(-self.tiles * part // self.parts) for part in range(self.parts + 1)]
        counts = [(end - begin) * self.vectors for begin, end in pairwise(bounds)]
        counts[-1] += max(0, vectors - self.tiles * self.vectors)
        return max(counts)

    def of_tiles(self, k: KernelBuilder, tiles: int) -> tuple[Index, Index]:
        """Return the first of this part's ``tiles`` and how many there are."""
        if self.parts == 1:
            return 0, tiles
        rest = self.parts - 1  # rounded up: the last part also has what is left beside the tiles
        first = k.bind(divided(self.part * tiles + rest, self.parts), "first")
        return first, k.bind(divided((self.part + 1) * tiles + rest, self.parts) - first, "count")

    def of_vectors(self, k: KernelBuilder, vectors: int) -> tuple[Index, Index]:
        """Return the first of this part's ``vectors``, those under its tiles, and how many there are (none below 1)."""
        if self.parts == 1:
            return 0, vectors
        first, count = self.of_tiles(k, self.tiles)
        rest = vectors - self.tiles * self.vectors
        begin = k.bind(first * self.vectors, "first")
        if rest < 0:
            return begin, k.bind(minimum((first + count) * self.vectors, vectors) - begin, "count")
        return begin, k.bind(count * self.vectors + divided(self.part + 1, self.parts) * rest, "count")

    def has_vector(self, number: int) -> Value:
        """Whether vector ``number`` is this part's."""
        tile = number // self.vectors
        if self.parts == 1 or tile >= self.tiles:
            return self.is_last
        return equal(self.part, tile * self.parts // self.tiles)  # the last whose first tile, rounded up, is not above


WHOLE = Share()
"""The only part of one."""
