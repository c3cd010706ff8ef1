"""``mnv2c profile``: where a compiled library spends its time, beside what the CPU could do."""

from __future__ import annotations

import argparse
from typing import Any

from mnv2c import api
from mnv2c.cli.options import add_json, add_variant
from mnv2c.cli.output import print_json, print_table, say, size
from mnv2c.common.progress import progress

HELP = "time every fused kernel of a compiled library beside the CPU's peak, and show its memory"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("directory", metavar="DIR", help="folder that `mnv2c compile` wrote")
    parser.add_argument("--html", metavar="FILE", help="also write a page with roofline, memory map and times")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="interleaved rounds (default: 9)")
    parser.add_argument("--runs", type=int, metavar="N", help="runs per round (default: as many as take 50 ms)")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    add_variant(parser)
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Print a line per step, then what belongs to the whole."""
    with progress(options.quiet or options.json) as report:
        result = api.profile(
            options.directory,
            rounds=options.rounds,
            runs=options.runs,
            html=options.html,
            variant=options.variant,
            progress=report,
        )
    figures = result.as_dict()
    if options.json:
        print_json(figures)
        return 0
    _print_steps(figures)
    _print_whole(figures)
    _print_memory(figures["arena"])
    if options.html:
        say(f"the page: {options.html}")
    return 0


def _print_steps(figures: dict[str, Any]) -> None:
    header = ("step", "ms", "of run", "ms alone", "MMAdds", "GMAC/s", "of peak", "moved", "arena")
    print_table(header, [_row(step) for step in figures["steps"]], right=frozenset(range(1, len(header))))


def _row(step: dict[str, Any]) -> tuple[str, ...]:
    madds = step["madds"]
    return (
        step["name"],
        f"{step['median_ms']:.4f}",
        _percent(step["time_share"]),
        f"{step['alone_ms']:.4f}",
        "-" if madds is None else f"{madds / 1e6:.2f}",
        "-" if step["gmacs"] is None else f"{step['gmacs']:.1f}",
        _percent(step["peak_share"]),
        size(step["moved_bytes"]),
        size(step["arena_bytes"]),
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _print_whole(figures: dict[str, Any]) -> None:
    machine = figures["machine"]
    say(
        f"sum of the steps {figures['sum_ms']:.3f} ms, a whole run {figures['median_ms']:.3f} ms "
        f"({figures['sum_share']:.1%} in the same round); {figures['madds'] / 1e6:.1f} million MAdds, "
        f"{figures['peak_share']:.0%} of the peak of {figures['peak_gmacs']:.1f} GMAC/s"
    )
    say(
        f"ms: within a run, timed in C, without what a reading of the clock takes ({figures['reading_ns']:.0f} ns); "
        f"ms alone: repeated with warm caches, together {figures['alone_sum_ms']:.3f} ms"
    )
    say("moved: tensors read and written, and weights, each once; one thread reads", end=" ")
    say(", ".join(f"{item['gbytes_per_s']:.1f} GB/s from {item['name']}" for item in figures["bandwidths"]))
    say(
        f"{figures['name']} for {figures['target']} on {machine['cpu']}, {machine['cores']} cores usable, "
        f"load {machine['load']}; {figures['rounds']} rounds of {figures['runs']} runs, the slowest took "
        f"{figures['spread']:.0%} longer than the fastest"
    )


def _print_memory(arena: dict[str, Any]) -> None:
    say(
        f"arena {size(arena['bytes'])}; at once in use at most {size(arena['alive_bytes'])}, in {arena['alive_at']}; "
        "bounds of the paper's section 5:"
    )
    for bound in arena["bounds"]:
        numbers = " and ".join(f"({number})" for number in bound["equations"])
        say(f"  equation {numbers}, {bound['graph']}: {size(bound['bytes'])}, at {bound['at']}")
