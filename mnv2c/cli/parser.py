"""An argparse parser whose errors are one line with a suggestion."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import NoReturn

from mnv2c.errors import UserError, nearest


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` without abbreviations that raises UserError instead of printing its usage."""

    def __init__(self, **options: object) -> None:
        """Take the same options as ``argparse.ArgumentParser``."""
        super().__init__(allow_abbrev=False, **options)  # type: ignore[arg-type]

    def error(self, message: str) -> NoReturn:
        """Raise UserError with argparse's message and the place where help is to be found."""
        raise UserError(f"{message}; see `{self.prog} --help`")

    def flags(self) -> tuple[str, ...]:
        """Return every flag, such as ``--target``, that this parser knows."""
        return tuple(self._option_string_actions)

    def verbs(self) -> dict[str, Parser]:
        """Return the parser of each verb; empty for the parser of a verb."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                return dict(action.choices)
        return {}


def check_words(parser: Parser, words: Sequence[str]) -> None:
    """Raise UserError for an unknown verb or flag, before argparse complains about something that follows from it."""
    current = parser
    for word in _before_separator(words):
        if word.startswith("-") and len(word) > 1:
            _check_flag(current, word)
        elif current is parser:
            verbs = parser.verbs()
            if word not in verbs:
                raise UserError(f'unknown verb "{word}"{nearest(word, verbs)}; verbs: {", ".join(verbs)}')
            current = verbs[word]


def _check_flag(parser: Parser, word: str) -> None:
    name = word.split("=", 1)[0]
    known = parser.flags()
    short = not name.startswith("--")
    if name in known or (short and (name[:2] in known or _is_number(word))):
        return
    raise UserError(f'unknown flag "{name}"{nearest(name, known)}; see `{parser.prog} --help`')


def _before_separator(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        if word == "--":
            return
        yield word


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
