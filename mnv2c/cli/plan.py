"""``mnv2c plan``: which chains a compile would make, what each takes, and how time and memory can be traded."""

from __future__ import annotations

import argparse
from itertools import groupby
from typing import Any

from mnv2c import api
from mnv2c.cli.options import MODEL, add_input_shape, add_json, add_limits, add_model, add_schedules, model_options
from mnv2c.cli.output import print_json, print_table, say, size
from mnv2c.common.progress import progress

HELP = "show the plan that `compile` would take, without compiling, and how time and memory can be traded"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add_model(parser, MODEL + ", or a FILE.onnx")
    add_input_shape(parser)
    parser.add_argument("--target", default="host", metavar="T", help="a target (`mnv2c targets`) or an own T.toml")
    add_limits(parser)
    add_schedules(parser)
    parser.add_argument("--pareto", action="store_true", help="show all plans that are the fastest for their memory")
    parser.add_argument("--html", metavar="FILE", help="also write a page with the frontier and the chains")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Print a line per chain, or per plan of the frontier."""
    with progress(options.quiet or options.json) as report:
        found = api.plan_model(
            options.model,
            options.target,
            **model_options(options),
            threads=options.threads,
            arena_limit=options.arena_limit,
            schedules=options.schedules,
            html=options.html,
            progress=report,
        )
    figures = found.as_dict()
    if options.json:
        print_json(figures)
        return 0
    if options.pareto:
        _print_frontier(figures)
    else:
        _print_chains(figures)
    if options.html:
        say(f"the page: {options.html}")
    return 0


def _print_chains(figures: dict[str, Any]) -> None:
    header = ("chain", "joins", "rows", "in flight", "keeps", "MMAdds", "Mcycles", "share", "scratch", "in use")
    print_table(header, [_row(chain) for chain in figures["chains"]], right=frozenset({1, 2, 5, 6, 7, 8, 9}))
    say(
        f"{figures['name']} for {figures['target']}: arena {size(figures['arena_bytes'])} ({figures['arena_bytes']:,} "
        f"bytes), {figures['madds'] / 1e6:.1f} million MAdds, {figures['cycles'] / 1e6:.2f} million predicted cycles, "
        f"{figures['time_ratio']:.3f} of the fastest plan's"
    )
    say(
        "joins: how many chains of the network it takes at once; rows: per step; in flight: channels of what each "
        "depthwise stage reads, and what it keeps of it; in use: of the arena meanwhile; cycles are predicted"
    )
    tuned = [chain["name"] for chain in figures["chains"] if chain.get("tuned")]
    if tuned:
        say(f"run as records say, their cycles being those predicted times what was measured: {', '.join(tuned)}")
    if note := figures["fallback_work"]["note"]:
        say(note)
    if figures["bounds"]:
        say("bounds of the paper's section 5:")
    for bound in figures["bounds"]:
        numbers = " and ".join(f"({number})" for number in bound["equations"])
        say(f"  equation {numbers}, {bound['graph']}: {size(bound['bytes'])}, at {bound['at']}")


def _row(chain: dict[str, Any]) -> tuple[str, ...]:
    if chain["rows"] is None:
        counted = f"{chain['madds'] / 1e6:.2f}" if chain["madds"] else "-"
        return (
            chain["name"],
            "-",
            "-",
            "-",
            "-",
            counted,
            "-",
            "-",
            size(chain["scratch_bytes"]),
            size(chain["peak_bytes"]),
        )
    return (
        chain["name"],
        str(len(chain["joins"])) if len(chain["joins"]) > 1 else "-",
        str(chain["rows"] or "all"),
        _runs([str(window["channels"]) for window in chain["windows"]]),
        _runs([window["keeps"] for window in chain["windows"]]),
        f"{chain['madds'] / 1e6:.2f}",
        f"{chain['cycles'] / 1e6:.3f}",
        f"{chain['share']:.1%}",
        size(chain["scratch_bytes"]),
        size(chain["peak_bytes"]),
    )


def _runs(words: list[str]) -> str:
    """The words in order; equal neighbours once, with their number: ``2x sums, ring``."""
    runs = [(word, len(list(same))) for word, same in groupby(words)]
    return ", ".join(f"{count}x {word}" if count > 1 else word for word, count in runs) or "-"


def _print_frontier(figures: dict[str, Any]) -> None:
    rows = [
        (
            "*" if point["arena_bytes"] == figures["arena_bytes"] else "",
            f"{point['arena_bytes']:,}",
            f"{point['time_ratio']:.3f}",
            str(len(point["chains"])),
            ", ".join(name for name in point["chains"] if "_to_" in name) or "-",
        )
        for point in figures["frontier"]
    ]
    print_table(("", "arena bytes", "time", "calls", "joined"), rows, right=frozenset({1, 2, 3}))
    print()
    print(api.draw_frontier(figures))
    print()
    say(
        f"{figures['name']} for {figures['target']}: predicted time as a multiple of the fastest plan's; * and # are "
        "the plan that `mnv2c compile` takes"
        + ("" if figures["arena_limit"] is None else f" with --arena-limit {figures['arena_limit']}")
    )
