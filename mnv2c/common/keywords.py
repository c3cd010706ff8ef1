"""Functions of one value that are called with what the value is made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import ParamSpec, TypeVar

Given = ParamSpec("Given")
Options = TypeVar("Options")
Result = TypeVar("Result")


def taking(
    options: Callable[Given, Options],
) -> Callable[[Callable[[Options], Result]], Callable[Given, Result]]:
    """Let a function of options be called with what they are made of: their names are written once."""

    def decorate(function: Callable[[Options], Result]) -> Callable[Given, Result]:
        @wraps(function)
        def call(*arguments: Given.args, **named: Given.kwargs) -> Result:
            return function(options(*arguments, **named))

        call.__signature__ = signature(options)  # type: ignore[attr-defined]
        return call

    return decorate
