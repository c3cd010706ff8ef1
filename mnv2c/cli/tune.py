"""``mnv2c tune``: searches for faster schedules by measuring, on this machine, on a board, or under an emulator."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mnv2c import api
from mnv2c.cli.options import MODEL, add_input_shape, add_json, add_model, model_options
from mnv2c.cli.output import print_json, print_table, say

HELP = "search for faster schedules of a model by measuring them, for later compiles to use"

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add_model(parser, MODEL + ", or a FILE.onnx")
    add_input_shape(parser)
    parser.add_argument("--target", default="host", metavar="T", help="a target (`mnv2c targets`) or an own T.toml")
    parser.add_argument(
        "--device",
        metavar="URL",
        help="where to measure: local (default), ssh://USER@HOST, adb://SERIAL, emulator, rpc://HOST:PORT, "
        "tracker://HOST:PORT/KEY",
    )
    parser.add_argument(
        "--trials", type=int, metavar="N", help="candidates to measure, with those of earlier runs (default: 300)"
    )
    parser.add_argument("--minutes", type=float, metavar="M", help="most minutes to take (default: no limit)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads to share a run (default: 1)")
    parser.add_argument(
        "--schedules",
        metavar="DIR",
        help="folder of the records (default: $MNV2C_SCHEDULES, or mnv2c/schedules of the user's data folder)",
    )
    parser.add_argument("--resume", action="store_true", help="go on with the session that was interrupted")
    parser.add_argument("--seed", type=int, metavar="N", help="seed of the search (default: 0)")
    parser.add_argument(
        "--allow-rpc",
        action="store_true",
        help="allow rpc:// and tracker://, which run whatever they are sent, for anyone who can reach them",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Tune; then print a line per chain, and what the network gains."""
    with _ended_by_sigterm():
        result = api.tune_model(
            options.model,
            options.target,
            **model_options(options),
            device=options.device,
            trials=options.trials,
            minutes=options.minutes,
            threads=options.threads,
            schedules=options.schedules,
            resume=options.resume,
            seed=options.seed,
            allow_rpc=options.allow_rpc,
            show=not (options.quiet or options.json),
        )
    figures = result.as_dict()
    if options.json:
        print_json(figures)
    else:
        _print(figures, options.schedules)
    if figures["interrupted"]:
        return INTERRUPTED
    return 1 if figures["ended"] else 0


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Take SIGTERM, of a service or a batch system whose time is over, for Ctrl-C: a device is to be left clean."""
    if threading.current_thread() is not threading.main_thread():  # Python lets no other thread do that
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(figures: dict[str, Any], schedules: str | None) -> None:
    rows = [_row(chain, figures["unit"]) for chain in figures["chains"]]
    print_table(("chain", "times", "trials", "default", "best", "ratio", "of peak", ""), rows, frozenset(range(1, 7)))
    for note in dict.fromkeys(figures["notes"]):
        say(note)
    earlier = f" and {figures['known']} of earlier runs" if figures["known"] else ""
    say(
        f"{figures['name']} for {figures['target']} on {figures['cpu']} ({figures['device']}), {figures['threads']} "
        f"thread(s): {figures['trials']} trials{earlier}, {figures['seconds'] / 60:.1f} minutes"
    )
    if figures["ratio"] is not None:
        share = f", {figures['peak_share']:.0%} of peak" if figures["peak_share"] else ""
        cuts = ", cut into other chains" if figures["recut"] else ""
        say(
            f"all chains together: {_cost(figures['default_cost'], figures['unit'])} by default, "
            f"{_cost(figures['cost'], figures['unit'])} tuned ({figures['ratio']:.3f}){share}{cuts}"
        )
    given = f" --schedules {schedules}" if schedules else ""
    say(f"records: {figures['file']}; `mnv2c compile{given}` uses them from now on")
    if figures["ended"]:
        say(f"not finished: {figures['ended']}; nothing is lost: the same command with --resume goes on")


def _row(chain: dict[str, Any], unit: str) -> tuple[str, ...]:
    share = chain["peak_share"]
    return (
        chain["label"],
        str(chain["times"]),
        str(chain["trials"]),
        _cost(chain["default"], unit),
        _cost(chain["best"], unit),
        f"{chain['ratio']:.3f}",
        "-" if share is None else f"{share:.0%}",
        chain["state"],
    )


def _cost(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value * 1e6:.1f} us" if unit == "s" else f"{value / 1e3:.1f} k"
