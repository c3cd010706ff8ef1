"""``mnv2c schedules``: what tuning has found, and how it is kept small."""

from __future__ import annotations

import argparse
from typing import Any

from mnv2c import api
from mnv2c.cli.options import add_json, add_schedules
from mnv2c.cli.output import print_json, print_table, say
from mnv2c.errors import UserError, nearest

HELP = "list, show, prune or merge the records of tuning"
ITEMS = {
    "list": "nothing",
    "show": "the label or the first digits of the identity of a chain or network",
    "prune": "files, instead of your own records",
    "merge": "files and folders",
}
"""What each action takes besides its options."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("action", metavar="ACTION", help=", ".join(ITEMS))
    items = "; ".join(f"{name}: {what}" for name, what in ITEMS.items())
    parser.add_argument("items", nargs="*", default=[], metavar="ITEM", help=items)
    parser.add_argument("--target", metavar="T", help="records for this target only (default: for all)")
    add_schedules(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="of merge: the new file, *.jsonl, or *.json to ship it")
    parser.add_argument("--everything", action="store_true", help="of merge: keep all records, not only the best")
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Do what the action says."""
    if options.action not in ACTIONS:
        raise UserError(
            f'unknown action "{options.action}"{nearest(options.action, ACTIONS)}; one of: {", ".join(ACTIONS)}'
        )
    ACTIONS[options.action](options)
    return 0


def _list(options: argparse.Namespace) -> None:
    if options.items:
        raise UserError(f"schedules list: takes no {options.items[0]}; `mnv2c schedules show` shows one chain")
    found = api.list_schedules(options.target, options.schedules)
    if options.json:
        print_json([entry.as_dict() for entry in found])
    elif not found:
        say("no records; `mnv2c schedules --help` says where they are looked for")
    else:
        header = ("cpu", "threads", "of", "identity", "first found as", "gain", "trials", "last", "records")
        print_table(header, [_row(entry) for entry in found], right=frozenset({1, 5, 6}))


def _row(entry: Any) -> tuple[str, ...]:
    return (
        entry.target,
        str(entry.threads),
        entry.kind,
        entry.id,
        entry.label,
        _gain(entry),
        str(sum(entry.trials.values())),
        entry.dates[1][:10] or "-",
        entry.source,
    )


def _gain(entry: Any) -> str:
    return "-" if entry.gain is None else f"{entry.gain:.1%}"


def _show(options: argparse.Namespace) -> None:
    if len(options.items) != 1:
        raise UserError("schedules show: name one chain or network; `mnv2c schedules list` lists them")
    found = api.show_schedule(options.items[0], options.target, options.schedules)
    if options.json:
        print_json([{**entry.as_dict(), "decided": decided} for entry, decided in found])
        return
    for entry, decided in found:
        say(f"{entry.kind} {entry.id} ({entry.label}) for {entry.target}, {entry.threads} threads, {entry.source}")
        say(f"  file      {entry.file}")
        counts = ", ".join(f"{count} {status}" for status, count in entry.trials.items())
        say(
            f"  trials    {counts}; {' to '.join(dict.fromkeys(entry.dates)) or '-'}; {', '.join(entry.devices) or '-'}"
        )
        say(f"  gain      {_gain(entry)}")
        _print_decided(decided)


SHOWN = ("cuts", "cost", "default_cost", "unit", "ratio", "spread", "error", "peak_share", "confirmed", "device")


def _print_decided(decided: dict[str, Any] | None) -> None:
    if decided is None:
        say("  nothing decided: no trial was surely faster than the default")
        return
    for name in SHOWN:
        if decided.get(name) not in (None, ""):
            say(f"  {name:<9} {decided[name]}")
    for name, value in decided.get("choice", {}).items():
        for key, item in value.items() if name == "schedule" else ((name, value),):
            say(f"  {key:<9} {item}")
    evidence = ", ".join(f"{name} {value}" for name, value in decided["evidence"].items() if value not in ("", {}))
    say(f"  evidence  {evidence}")


def _prune(options: argparse.Namespace) -> None:
    done = api.prune_schedules(options.target, options.schedules, options.items)
    if options.json:
        print_json([entry.as_dict() for entry in done])
        return
    for entry in done:
        say(f"{entry.file}: {entry.kept} records kept, {sum(entry.went.values())} went")
        for label, count in sorted(entry.went.items()):
            say(f"  {label}: {count}")
    if not done:
        say("no records of your own")


def _merge(options: argparse.Namespace) -> None:
    if not options.items or options.output is None:
        raise UserError("schedules merge: give files or folders, and the new file with --output")
    done = api.merge_schedules(options.items, options.output, everything=options.everything, target=options.target)
    if options.json:
        print_json(done.as_dict())
    else:
        say(f"{done.file}: {done.chains} chains and {done.cuts} networks' cuts from {done.files} files")


ACTIONS = {"list": _list, "show": _show, "prune": _prune, "merge": _merge}
