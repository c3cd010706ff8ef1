"""Choices of a task to batches that a device can measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mnv2c.errors import CompilerError
from mnv2c.tune.devices.base import Batch, Form
from mnv2c.tune.measure.candidate import Candidate
from mnv2c.tune.measure.program import link, static_target
from mnv2c.tune.measure.sample import expected_of
from mnv2c.tune.space.task import Measured, Status

if TYPE_CHECKING:
    from mnv2c.schedule.choice import Choice
    from mnv2c.tune.measure.workers import Workers
    from mnv2c.tune.space.task import Task

LIMIT = 2.0
"""Seconds that measuring one candidate may take; most are known well enough after a quarter of them."""


@dataclass(frozen=True)
class Built:
    """Choices, built: ``batch`` holds those that could be (None: none), ``failed`` the others by their index."""

    batch: Batch | None
    failed: Mapping[int, Measured]

    def results(self, measured: Sequence[Measured]) -> list[Measured]:
        """What was found for every choice, in the order of the choices; ``measured`` are the batch's results."""
        left = iter(measured)
        count = len(self.failed) + (len(self.batch.numbers) if self.batch else 0)
        return [self.failed[index] if index in self.failed else next(left) for index in range(count)]


class Builder:
    """Builds candidates of ``task`` in ``form`` with the processes of ``workers``, which several builders may share."""

    def __init__(self, task: Task, form: Form, workers: Workers) -> None:
        self.task, self.form, self._workers = task, form, workers
        self._target = static_target(task.target)
        self._default: Candidate | None = None

    @cached_property
    def expected(self) -> list[bytes]:
        """The right contents of the outputs."""
        return expected_of(self.task.chain)

    def build(self, choices: Sequence[Choice], limit: float = LIMIT) -> Built:
        """Compile ``choices`` and link them with the default; one batch, of which a candidate may take ``limit`` s.

        CompilerError where the default itself cannot be compiled, LinkerError where a tool fails. Callable from any
        thread, and from several.
        """
        wanted = list(enumerate(choices, 1))
        requests = [(self.task, choice, f"candidate_{number}", self._target) for number, choice in wanted]
        if self._default is None:
            requests.append((self.task, self.task.default, "candidate_0", self._target))
        found = self._workers.build(requests)
        if self._default is None:
            self._default = self._checked(found.pop())
        built = [candidate for candidate in found if isinstance(candidate, Candidate)]
        failed = {
            index: Measured(Status.UNBUILT, detail=reason)
            for index, reason in enumerate(found)
            if isinstance(reason, str)
        }
        if not built:
            return Built(None, failed)
        content = link(
            self.task.chain, self._target, self.task.threads, [self._default, *built], self.expected, self.form
        )
        return Built(Batch(content, tuple(range(1, len(built) + 1)), limit), failed)

    def _checked(self, default: Candidate | str) -> Candidate:
        if isinstance(default, Candidate):
            return default
        raise CompilerError(f"{self.task.label}: the default schedule cannot be compiled: {default}")
