"""A model of what makes one choice faster than another, learnt from what was measured: gradient-boosted trees.

It is asked for an order of candidates of one task, not for times, so ratios to the task's default are what it learns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np

from mnv2c.errors import UserError

ROUNDS = 120
SLOWEST = 1.5
"""Ratios above are all alike: that a choice is hopeless need not be known more precisely."""
OWN = 8.0
"""How much more a trial of the task in hand counts than one of another chain."""
NEEDED = 8
"""Trials, of whichever chains, before a model says more than the analytic predictions."""
PARAMETERS = {
    "objective": "reg:squarederror",
    "max_depth": 5,
    "eta": 0.1,
    "subsample": 0.8,
    "colsample_bytree": 0.5,
    "min_child_weight": 2.0,
    "num_parallel_tree": 4,  # the mean of several: one alone misses what few trials showed (bench/ranking.py)
    "lambda": 1.0,
    "tree_method": "hist",
    "nthread": 1,  # the same trees on every machine, and the other cores build candidates
}


@dataclass(frozen=True)
class Trials:
    """What was measured for one task: feature vectors and the ratios to the default; ``own``: of the task in hand."""

    vectors: Sequence[Sequence[float]]
    ratios: Sequence[float]
    own: bool = False


class Model:
    """Predicts the logarithm of the ratio to the default; ``seed`` makes it deterministic."""

    def __init__(self, seed: int) -> None:
        self._xgboost, self._seed = load_xgboost(), seed
        self._trees: Any = None

    @property
    def ready(self) -> bool:
        """Whether enough was measured to learn from."""
        return self._trees is not None

    def fit(self, known: Sequence[Trials]) -> None:
        """Learn from all that was measured, anew."""
        known = [trials for trials in known if len(trials.ratios)]
        vectors = [vector for trials in known for vector in trials.vectors]
        if len(vectors) < NEEDED:
            self._trees = None
            return
        ratios = [log(min(ratio, SLOWEST)) for trials in known for ratio in trials.ratios]
        weights = [OWN if trials.own else 1.0 for trials in known for _ in trials.ratios]
        data = self._matrix(vectors, label=np.array(ratios, np.float32), weight=np.array(weights, np.float32))
        self._trees = self._xgboost.train({**PARAMETERS, "seed": self._seed}, data, num_boost_round=ROUNDS)

    def predict(self, vectors: Sequence[Sequence[float]]) -> list[float]:
        """Return the predicted logarithms of the ratios; all alike where nothing was learnt."""
        if self._trees is None or not len(vectors):
            return [0.0] * len(vectors)
        return [float(value) for value in self._trees.predict(self._matrix(vectors))]

    def _matrix(self, vectors: Sequence[Sequence[float]], **more: Any) -> Any:
        return self._xgboost.DMatrix(np.array(vectors, np.float32), **more)


def load_xgboost() -> Any:
    """Import XGBoost; UserError that says how to install it."""
    try:
        import xgboost
    except ImportError:
        raise UserError(
            "tuning needs xgboost, which is not installed; run in the repository: pip install -e '.[tune]'"
        ) from None
    xgboost.set_config(verbosity=0)
    return xgboost
