"""Every error mnv2c raises on purpose. Each message is one line: what is wrong, where, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mnv2c.common.escape import one_line


class Mnv2cError(Exception):
    """A failure with a message fit for the user; ``exit_code`` is what the command line returns.

    The message becomes one line of visible characters, whatever the files that it quotes hold.
    """

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(one_line(message))


class UserError(Mnv2cError):
    """The user's input is at fault; the message says how to mend it."""

    exit_code = 2


class SpecError(UserError):
    """A model description (TOML, name or option) is invalid."""


class WeightsError(UserError):
    """A weights file is unreadable, or its tensors do not fit the model."""


class OnnxError(UserError):
    """An ONNX file is unreadable or uses what the compiler does not support."""


class TargetError(UserError):
    """A target is unknown or its description is invalid."""


class ScheduleError(UserError):
    """A schedule is illegal for the chain and the target it is used with."""


class PlanError(UserError):
    """No plan of the network fits what was asked for."""


class OutputError(UserError):
    """The output folder or file cannot be written."""


class LinkerError(UserError):
    """No usable C compiler or linker, or the one given failed."""


class LibraryError(UserError):
    """A compiled library cannot be loaded or used as asked."""


class CannotRunError(LibraryError):
    """This machine lacks what a compiled library needs to run: a feature of the CPU, an emulator."""


class DeviceError(Mnv2cError):
    """A device to measure on cannot be reached, or does not do what it is asked."""


class VerificationError(Mnv2cError):
    """A compiled library disagrees with its reference."""


class CompilerError(Mnv2cError):
    """An invariant of the compiler itself was broken; please report it."""


class Mnv2cWarning(UserWarning):
    """Something about the user's files that does not stop the work; the message is one line."""


class FallbackWarning(Mnv2cWarning):
    """Much of a network's work is done by fallbacks."""


class RecordsWarning(Mnv2cWarning):
    """A record of tuning is of no use; the work goes on without it."""


LONG_WORD = 8
"""Letters and digits from which on a word may have two slips; a shorter one with two is another word."""
LONGEST = 200
"""Characters of a word that may be a slip of anything: others cost time only."""
SHORTEST_BEGINNING = 3
"""Letters and digits that a beginning needs to stand for the only word that begins so."""


def nearest(word: str, candidates: Iterable[str]) -> str:
    """Return `` (did you mean "x"?)`` for the candidate of which ``word`` is a slip of the keyboard, or nothing.

    A slip is a letter left out, added or replaced, or two that changed places; separators and case do not count. What
    differs in a number or in a whole part ("cortex-m7" and "cortex-a7", "aarch64_be" and "aarch64") is another thing.
    The beginning of one candidate alone stands for it.
    """
    known = list(dict.fromkeys(candidates)) if len(word) <= LONGEST else []
    slips = {candidate: _slips(word, candidate) for candidate in known}
    likely = [candidate for candidate in known if slips[candidate] is not None]
    plain = "".join(_parts(word))
    begun = [candidate for candidate in known if "".join(_parts(candidate)).startswith(plain)]
    if likely:
        found = min(likely, key=lambda candidate: slips[candidate] or 0)
    elif len(plain) >= SHORTEST_BEGINNING and len(begun) == 1 and _numbers(word) == _numbers(begun[0]):
        found = begun[0]
    else:
        return ""
    return f' (did you mean "{found}"?)'


def _slips(word: str, candidate: str) -> int | None:
    """How many slips lie between two spellings of one thing; None where they are two things."""
    one, other = _parts(word), _parts(candidate)
    left, right = "".join(one), "".join(other)
    if left == right:
        return 0
    most = 2 if min(len(left), len(right)) >= LONG_WORD else 1
    if _numbers(word) != _numbers(candidate) or abs(len(left) - len(right)) > most:
        return None
    if len(one) == len(other):
        letters = [
            (re.sub(r"[0-9]", "", mine), re.sub(r"[0-9]", "", its)) for mine, its in zip(one, other, strict=True)
        ]
        if any(_distance(*pair) >= max(map(len, pair)) for pair in letters if pair[0] != pair[1]):
            return None  # a whole part is another one
    elif set(one) <= set(other) or set(other) <= set(one):
        return None  # one has a part more
    found = _distance(left, right)
    return found if found <= most else None


def _parts(word: str) -> list[str]:
    return [part for part in re.split(r"[\W_]+", word.lower()) if part]


def _numbers(word: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"[0-9]{1,9}", word)]


def _distance(left: Sequence[str], right: Sequence[str]) -> int:
    """Letters to add, leave out or replace, or neighbours to swap, from one word to the other."""
    before, last = list[int](), list(range(len(right) + 1))
    for row, letter in enumerate(left, 1):
        current = [row]
        for column, other in enumerate(right, 1):
            cost = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == right[column - 2] and left[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, last = last, current
    return last[-1]
