"""What a fuzzed parser is, and what may become of an input: taken, or refused by a typed error in one clean line."""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from mnv2c.errors import UserError
from tests.fuzz.parsers.nasty import damage_bytes

LONGEST_MESSAGE = 2000
"""Characters; a path and a list of what is known fit, a name of five thousand letters does not."""


@dataclass(frozen=True)
class Parser:
    """``read`` takes a file and returns what kind of content was accepted; ``mutate`` damages a file of ``seeds``.

    ``share`` says how many of a million inputs it gets, ``file`` is the name of the file that it reads. ``before`` is a
    quick reader that must take the file first, for a ``read`` that is slow.
    """

    name: str
    file: str
    read: Callable[[Path], str]
    mutate: Callable[[bytes, Random], bytes]
    seeds: Callable[[], list[bytes]]
    share: int
    before: Callable[[Path], str] | None = None

    def damage(self, content: bytes, random: Random) -> bytes:
        """Damage a file; one that the mutator cannot take apart any more (nested deeper than Python's stack, names
        that are no text) as bytes.
        """
        try:
            return self.mutate(content, random)
        except (RecursionError, ValueError, TypeError):
            return damage_bytes(content, random)


@dataclass(frozen=True)
class Outcome:
    """``kind`` is "accepted", "refused", or of a finding what it is. ``feature`` tells outcomes of one kind apart.

    ``details`` is the traceback of a finding. ``early`` says that the quick reader refused.
    """

    kind: str
    feature: str
    details: str = ""
    early: bool = False

    @property
    def finding(self) -> bool:
        """Whether this must not happen."""
        return self.kind not in ("accepted", "refused")

    @property
    def signature(self) -> str:
        """A short name for the same finding again."""
        return f"{self.kind}-{hashlib.sha256(self.feature.encode()).hexdigest()[:10]}"


def judge(parser: Parser, path: Path) -> Outcome:
    """Let a parser read a file and say what became of it."""
    early = parser.before is not None
    try:
        if parser.before is not None:
            parser.before(path)
        early = False
        return Outcome("accepted", parser.read(path))
    except UserError as error:
        return replace(_of_message(error, path), early=early)
    except Exception as error:
        return Outcome("exception", _place(error), traceback.format_exc())


def _of_message(error: UserError, path: Path) -> Outcome:
    text = str(error).replace(str(path), "FILE").replace(str(path.parent), "FOLDER")
    feature = f"{type(error).__name__}: {skeleton(text)}"
    if not text.isprintable():
        return Outcome("unprintable", feature, ascii(text))
    if not text or len(text) > LONGEST_MESSAGE:
        return Outcome("length", feature, text[:10_000])
    return Outcome("refused", feature)


def skeleton(text: str) -> str:
    """What a message says without the names and numbers in it."""
    text = re.sub(r"\"[^\"]*\"|'[^']*'|\[[^\]]*\]", '""', text[:400])
    return re.sub(r"[-+]?\d[\d.,e+-]*", "0", text)[:120]


def _place(error: BaseException) -> str:
    """Type of an exception and the innermost places in the project that it went through; of its cause, if it has one.

    What libraries raise is told apart by what it says, too: they raise one type for everything.
    """
    cause = error.__cause__ or error
    frames = [
        f"{Path(frame.filename).name}:{frame.name}"
        for frame in traceback.extract_tb(cause.__traceback__)
        if "mnv2c" in Path(frame.filename).parts
    ]
    said = "" if cause is error else f" < {type(cause).__name__}: {skeleton(_last_line(cause))}"
    return f"{type(error).__name__} at {' '.join(frames[-2:])}{said}"


def _last_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [""])[-1]
