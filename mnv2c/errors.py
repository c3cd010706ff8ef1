"""Every error mnv2c raises on purpose. Each message is one line: what is wrong, where, and what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class Mnv2cError(Exception):
    """A failure with a message fit for the user; ``exit_code`` is what the command line returns."""

    exit_code = 1


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


class RecordsWarning(UserWarning):
    """A record of tuning is of no use; the work goes on without it."""


def nearest(word: str, candidates: Iterable[str]) -> str:
    """Return `` (did you mean "x"?)`` for the closest candidate, or the empty string."""
    matches = get_close_matches(word, list(candidates), n=1)
    return f' (did you mean "{matches[0]}"?)' if matches else ""
