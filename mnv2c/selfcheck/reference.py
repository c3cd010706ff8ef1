"""What the reference, onnxruntime, computes of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mnv2c.verification import masks, tolerance
from mnv2c.verification.double_precision import Result

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]
    Arrays = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Reference:
    """The network's values for the pattern of the self-test, and the session that computed them.

    ``inputs`` are by name; ``values`` hold the outputs and the scores behind those that are ``classes``. ``run``
    computes the same of other inputs.
    """

    inputs: Arrays
    values: Arrays
    classes: Mapping[str, masks.Scores]
    run: Callable[[Arrays], Arrays]

    def runs(self) -> tuple[tuple[Arrays, Arrays], ...]:
        """The inputs and the values of two runs: the pattern's, and those of the same numbers in opposite order.

        Only the first where the network answers the second with NaN or infinity.
        """
        import numpy as np

        turned = {
            name: np.ascontiguousarray(value.ravel()[::-1].reshape(value.shape)) for name, value in self.inputs.items()
        }
        values = self.run(turned)
        first = self.inputs, self.values
        return (first, (turned, values)) if all(np.isfinite(value).all() for value in values.values()) else (first,)

    def result(self, name: str, value: Array) -> Result:
        """An output that ran, to be judged by values of the network."""
        if value.size != self.values[name].size:
            return Result((name,), lambda _: float("inf"))
        if name not in self.classes:
            return Result(
                (name,), lambda values: tolerance.relative_error(value.reshape(values[name].shape), values[name])
            )
        return masks.result(name, value, self.classes[name])
