"""The search for one task: which choices to measure next, learnt from those that were measured.

A chain's first batch are analytic variants. Those that follow hold what the model ranks best among the other variants
and a few thousand drawn and mutated candidates, and a share drawn at random, so that what the model has not seen is
seen. All of it follows from the seed and from what came of what was measured, of other chains too: much of what pays
for one pays for its neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from random import Random

from mnv2c.errors import ScheduleError
from mnv2c.schedule.choice import Choice
from mnv2c.tune.model.features import Features
from mnv2c.tune.model.known import Known, of_task
from mnv2c.tune.model.trees import Model, Trials
from mnv2c.tune.space.task import Measured, Status, Task
from mnv2c.tune.space.ways import Space

POOL, STAGES = (300, 1000), 5000
"""Candidates that are ranked for a batch, at least and at most: as many as have ``STAGES`` stages to lay out.

Half of them are drawn, half lie next to what was measured to be fast.
"""
STARTS = 8
"""Analytic variants that are tried whatever the model says of them: the default's kin come first among them."""
PARENTS = 8
"""Measured choices whose neighbours are ranked, the fastest."""
RANDOM_SHARE = 0.2
"""Of a batch."""
ALIKE = 0.5
"""The share of a batch that may come from one parent: more would measure one idea many times."""
HOPELESS = 1.3
"""Times the default's predicted cycles from which on no analytic variant is tried."""
PATIENCE = 48
"""Trials without a gain after which a search is done."""
GAIN = 0.002
"""A faster choice counts as a gain from here on; less is noise."""
HOPE = 0.02
"""The share of time that a search that has not begun may be expected to save, found for chains on AVX-512 and NEON."""
HALF_LIFE = 24
"""Trials without a gain after which half as much is expected of the next ones."""


def half(trials: float) -> float:
    """Return what is left of 1 after so many trials, of which ``HALF_LIFE`` halve it."""
    return float(0.5 ** (trials / HALF_LIFE))


class Search:
    """Proposes choices for ``task`` and learns what came of them; ``known`` is what was measured before.

    Choices measured before for the same task are not proposed again: a search that had converged is done at once.
    What was measured ``elsewhere``, on other CPUs of a kind, only teaches the model. ``first`` is measured first: what
    was best elsewhere, and that with other products. ``peers`` are the searches of the same session, which this
    one joins: what one is told teaches all.
    """

    def __init__(
        self,
        task: Task,
        seed: int = 0,
        known: Sequence[Known] = (),
        elsewhere: Sequence[Known] = (),
        first: Sequence[Choice] = (),
        peers: list[Search] | None = None,
    ) -> None:
        self.task, self.space = task, Space(task)
        self._features = Features(self.space)
        self._total = self._features.names.index("total / default")
        self._model = Model(seed)
        self._rng = Random(f"{seed} {task.label} {task.threads}")
        self._ratios: dict[Choice, float] = {task.default: 1.0}
        self._asked: set[Choice] = {task.default}
        self._vectors: dict[Choice, list[float]] = {}
        self._told: list[Choice] = []
        self._since = self._trials = self._learnt = 0
        self._exhausted = False
        own, others = of_task(known, task)
        self._others = [trials for trials in map(_trials, [*others, *elsewhere]) if trials.ratios]
        for choice, ratio in (trial for entry in own for trial in entry.trials):
            if self.space.contains(choice):
                self._tell(choice, ratio)
        more = [other for choice in first for other in self.space.with_products(choice)[1:]]
        kin: dict[Choice, None] = dict.fromkeys([*first, *more])
        legal = [choice for choice in kin if choice not in self._asked and self.space.contains(choice)]
        starts = [choice for choice in self.space.starts() if self._promising(choice)]
        self._waiting, self._starts = [*legal, *starts[:STARTS]], starts[STARTS:]
        self._peers = [] if peers is None else peers
        self._peers.append(self)

    def _promising(self, choice: Choice) -> bool:
        """Whether an analytic variant is worth a trial: it may trade more time for memory than that."""
        if choice in self._asked:
            return False
        return self._vector(choice)[self._total] <= HOPELESS * self._vector(self.task.default)[self._total]

    @property
    def best(self) -> tuple[Choice, float]:
        """The fastest choice measured, and its ratio to the default; the default itself where none is faster."""
        choice = min(self._ratios, key=self._ratios.__getitem__)
        return choice, self._ratios[choice]

    @property
    def trials(self) -> int:
        """Choices that were measured, those known before included."""
        return self._trials

    @property
    def done(self) -> bool:
        """Whether the search has converged, or there is nothing left to propose."""
        return self._exhausted or (not self._waiting and self._since >= PATIENCE)

    @property
    def expected_gain(self) -> float:
        """The share of the task's time that the next trials may save, for spreading trials over tasks; 0 when done."""
        if self.done:
            return 0.0
        found = max(0.0, 1.0 - self.best[1])
        return HOPE * half(self._since) + found * half(self._trials)

    def propose(self, count: int) -> list[Choice]:
        """Return up to ``count`` choices to measure, none of which was returned, told or known before."""
        chosen: list[Choice] = []
        while self._waiting and len(chosen) < count:
            self._take(self._waiting.pop(0), chosen)
        wanted = count - len(chosen)
        ranked = wanted - ceil(wanted * RANDOM_SHARE) if self._learn() else wanted
        if ranked > 0:
            self._take_ranked(ranked, chosen)
        for _ in range(20 * count):
            if len(chosen) >= count:
                break
            self._take(self.space.sample(self._rng), chosen)
        self._exhausted = not chosen
        return chosen

    def tell(self, choice: Choice, measured: Measured) -> None:
        """Learn what came of a proposed choice; one that a device lost may be proposed again."""
        self._asked.add(choice)
        if measured.status == Status.LOST:
            self._asked.discard(choice)
            self._waiting.append(choice)
            return
        self._told.append(choice)
        self._tell(choice, measured.ratio if measured.valid else None)

    @property
    def lessons(self) -> Trials:
        """What this search was told, as other searches learn from it; what was known before they know themselves."""
        told = [choice for choice in self._told if choice in self._ratios]
        return Trials([self._vector(choice) for choice in told], [self._ratios[choice] for choice in told])

    def _tell(self, choice: Choice, ratio: float | None) -> None:
        best = self.best[1]
        self._asked.add(choice)
        self._trials += 1
        self._since += 1
        if ratio is None:
            return
        if ratio < best - GAIN:
            self._since = 0
        if choice != self.task.default:
            self._ratios[choice] = ratio

    def _take(self, choice: Choice, chosen: list[Choice]) -> bool:
        if choice in self._asked:
            return False
        self._asked.add(choice)
        chosen.append(choice)
        return True

    def _learn(self) -> bool:
        """Fit the model to all that is known; False where that is too little."""
        told = sum(peer.trials for peer in self._peers)
        if told != self._learnt or not self._model.ready:
            own = Trials([self._vector(choice) for choice in self._ratios], list(self._ratios.values()), own=True)
            lessons = [peer.lessons for peer in self._peers if peer is not self]
            self._model.fit([*self._others, *lessons, own])
            self._learnt = told
        return self._model.ready

    def _take_ranked(self, count: int, chosen: list[Choice]) -> None:
        """Take the candidates that are predicted to be fastest, not too many of them from one parent."""
        parents = self._pool()
        candidates = [choice for choice in parents if choice not in self._asked]
        predicted = self._model.predict([self._vector(choice) for choice in candidates])
        if not self._model.ready:
            predicted = [self._vector(choice)[self._total] for choice in candidates]
        taken: dict[int, int] = {}
        wanted = len(chosen) + count
        for _, index in sorted((value, index) for index, value in enumerate(predicted)):
            if len(chosen) >= wanted:
                return
            parent = parents[candidates[index]]
            if parent >= 0 and taken.get(parent, 0) >= max(1, ceil(count * ALIKE)):
                continue
            if self._take(candidates[index], chosen):
                taken[parent] = taken.get(parent, 0) + 1

    def _pool(self) -> dict[Choice, int]:
        """Return candidates by the number of the measured choice they are next to, -1 for those drawn anew."""
        pool: dict[Choice, int] = {}
        each = min(max(STAGES // len(self.task.chain.stages), POOL[0]), POOL[1]) // 2
        parents = sorted(self._ratios, key=self._ratios.__getitem__)[:PARENTS]
        for number, parent in enumerate(parents):
            for choice in self.space.neighbours(parent, self._rng, each // len(parents)):
                pool.setdefault(choice, number)
        for choice in (*self._starts, *(self.space.sample(self._rng) for _ in range(each))):
            pool.setdefault(choice, -1)
        return pool

    def _vector(self, choice: Choice) -> list[float]:
        if choice not in self._vectors:
            self._vectors[choice] = self._features.vector(choice)
        return self._vectors[choice]


def _trials(entry: Known) -> Trials:
    """Return what is known of another task as the model takes it; choices that are no longer legal are left out."""
    space = Space(entry.task)
    vectors: list[list[float]] = []
    ratios: list[float] = []
    try:
        features = Features(space)
    except ScheduleError:
        return Trials([], [])
    for choice, ratio in entry.trials:
        try:
            vectors.append(features.vector(choice))
        except ScheduleError:
            continue
        ratios.append(ratio)
    return Trials(vectors, ratios)
