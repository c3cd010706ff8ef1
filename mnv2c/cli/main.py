"""Entry point of the ``mnv2c`` command: parsing, errors and exit codes.

0 success, 1 a failure, 2 a mistake in what the user gave, 130 interrupted, 129 and 143 ended by SIGHUP and SIGTERM, 141
the reader of our output went away.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mnv2c.cli import (
    bench,
    cmake_dir,
    doctor,
    export,
    inspect,
    plan,
    profile,
    run,
    scenes,
    schedules,
    targets,
    tune,
    verify,
)
from mnv2c.cli import compile as compile_verb
from mnv2c.cli import eval as eval_verb
from mnv2c.cli.parser import Parser, check_words
from mnv2c.cli.signals import EndedError, watched
from mnv2c.common.escape import one_line
from mnv2c.common.version import __version__
from mnv2c.errors import Mnv2cError, Mnv2cWarning

VERBS = {
    "compile": compile_verb,
    "run": run,
    "verify": verify,
    "eval": eval_verb,
    "bench": bench,
    "profile": profile,
    "inspect": inspect,
    "plan": plan,
    "tune": tune,
    "export": export,
    "schedules": schedules,
    "scenes": scenes,
    "targets": targets,
    "cmake-dir": cmake_dir,
    "doctor": doctor,
}

DESCRIPTION = "Compile MobileNetV2-family networks into small, dependency-free C libraries."
EPILOG = "`mnv2c VERB --help` explains a verb. First steps: mnv2c compile mobilenet_v2 -o dist; mnv2c verify dist"


def build_parser() -> Parser:
    """Return the parser of the whole command line, with one sub-parser per verb."""
    parser = Parser(prog="mnv2c", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"mnv2c {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    for name, module in VERBS.items():
        sub = verbs.add_parser(name, help=module.HELP, description=module.HELP[0].upper() + module.HELP[1:] + ".")
        sub.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        module.add_arguments(sub)
        sub.set_defaults(execute=module.execute)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (``sys.argv`` by default) and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with watched() as watch:
        try:
            return _run(words)
        except EndedError as ended:
            return _fail(ended.words, ended.exit_code, prefix="")
        except Exception as error:
            if watch.ended is not None:
                return _fail(watch.ended.words, watch.ended.exit_code, prefix="")
            if "--debug" in words:
                traceback.print_exc()
            return _report(error)


def _run(words: list[str]) -> int:
    """Parse and execute; what fails is raised, but for what ends a command without being a failure."""
    try:
        parser = build_parser()
        check_words(parser, words)
        options = parser.parse_args(words)
        if options.verb is None:
            parser.print_help()
            return 0
        with _plain_warnings(getattr(options, "quiet", False)):
            code: int = options.execute(options)
        sys.stdout.flush()
        return code
    except SystemExit as stop:  # --help and --version
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        return _fail("interrupted", 130, prefix="")
    except BrokenPipeError:
        # The interpreter flushes stdout once more at exit; give it something that accepts the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


@contextmanager
def _plain_warnings(quiet: bool) -> Iterator[None]:
    """Show warnings about the user's files in one line each, or not at all; those of libraries stay as they are."""
    before = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, Mnv2cWarning):
            before(message, category, *where, **more)
        elif not quiet:
            print(f"mnv2c: warning: {one_line(str(message))}", file=sys.stderr)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = before


def _report(error: Exception) -> int:
    """Print one line about ``error`` and return the exit code that it deserves."""
    from mnv2c.common.scratch import NO_ROOM

    if isinstance(error, Mnv2cError):
        return _fail(str(error), error.exit_code)
    if isinstance(error, OSError) and error.errno in NO_ROOM and error.filename is None:
        return _fail(f"{error.strerror}; make room where temporary files go (TMPDIR) and where results do", 1)
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return _fail(f"{error.filename}: too long for the name of a file or folder here; give a shorter one", 2)
    if isinstance(error, OSError) and error.filename is not None:
        return _fail(f"{error.filename}: {error.strerror}", 1)
    return _fail(f"internal error, please report it (--debug shows where): {type(error).__name__}: {error}", 1)


def _fail(message: str, code: int, prefix: str = "error: ") -> int:
    print(f"mnv2c: {prefix}{one_line(message)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
