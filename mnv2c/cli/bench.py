"""``mnv2c bench``: times a compiled library, alone or against other libraries, or counts its instructions."""

from __future__ import annotations

import argparse
from typing import Any

from mnv2c import api
from mnv2c.cli.options import add_json, add_variant
from mnv2c.cli.output import print_json, print_table, say
from mnv2c.common.progress import progress

HELP = "time a compiled library, also against others, or count its instructions under emulation"

_COUNTS = ("instructions", "loads", "stores", "l1_misses", "l2_misses")
_COUNT_TITLES = tuple(key.replace("_", " ") for key in _COUNTS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    parser.add_argument("directory", metavar="DIR", help="folder that `mnv2c compile` wrote")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads, for everyone (default: 1)")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="interleaved rounds (default: 9)")
    parser.add_argument("--runs", type=int, metavar="N", help="runs per turn (default: as many as take 50 ms)")
    parser.add_argument(
        "--against",
        default="",
        metavar="PEERS",
        help="peers, with commas: onnxruntime, litert, ncnn, mnn, openvino, torch; one that is missing is named; "
        "with --device emulator the first four, prepared by `make arm-peers`",
    )
    parser.add_argument(
        "--device", default="local", metavar="D", help="local: time it here (default); emulator: count under qemu-user"
    )
    parser.add_argument("--steps", action="store_true", help="with --device emulator: also count every step")
    parser.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    add_variant(parser)
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Print the figures, ratios first."""
    with progress(options.quiet or options.json) as report:
        result = api.bench(
            options.directory,
            threads=options.threads,
            rounds=options.rounds,
            runs=options.runs,
            against=options.against,
            device=options.device,
            steps=options.steps,
            variant=options.variant,
            progress=report,
        )
    figures = result.as_dict()
    if options.json:
        print_json(figures)
    elif figures["device"] == "emulator":
        _print_counts(figures)
    else:
        _print_times(figures)
    return 0


def _print_times(figures: dict[str, Any]) -> None:
    machine = figures["machine"]
    rows = [(name, peer, f"{peer['ratio']:.3f}", peer["version"]) for name, peer in figures["peers"].items()]
    ours = ("this library", figures, "", f"mnv2c {machine['versions']['mnv2c']}")
    print_table(
        ("", "ours / theirs", "median ms", "min ms", "90 % below", "version"),
        [
            (name, ratio, *(f"{item[key]:.3f}" for key in ("median_ms", "min_ms", "p90_ms")), version)
            for name, item, ratio, version in [*rows, ours]
        ],
        right=frozenset({1, 2, 3, 4}),
    )
    for name, reason in figures["missing"].items():
        say(f"{name}: not measured: {reason}")
    say(
        f"{figures['peak_share']:.0%} of the peak of {figures['peak_gmacs']:.1f} GMAdds/s, measured in the same run; "
        f"{figures['madds'] / 1e6:.1f} million MAdds"
    )
    say(
        f"{figures['name']} for {figures['target']} on {machine['cpu']}, {machine['cores']} cores usable, "
        f"load {machine['load']}; {figures['threads']} thread(s)"
    )
    say(
        f"{figures['rounds']} interleaved rounds of {figures['runs']} runs; the slowest round took "
        f"{figures['spread']:.0%} longer than the fastest"
    )


def _print_counts(figures: dict[str, Any]) -> None:
    lines = [*figures["steps"], {**figures, "step": "whole run"}]
    print_table(
        ("step", *_COUNT_TITLES),
        [(line["step"], *_counts(line)) for line in lines],
        right=frozenset(range(1, 6)),
    )
    if figures["peers"]:
        print()
        _print_peer_counts(figures)
    for name, reason in figures["missing"].items():
        say(f"{name}: not counted: {reason}")
    say(f"emulated, not timed: {figures['where']}; {figures['cache_model']}")
    say(f"{figures['name']} for {figures['target']}, {figures['madds'] / 1e6:.1f} million MAdds")


def _print_peer_counts(figures: dict[str, Any]) -> None:
    peers = figures["peers"]
    rows = [(name, f"{peer['ratio']:.3f}", *_counts(peer), peer["version"]) for name, peer in peers.items()]
    ours = ("this library", "", *_counts(figures), f"mnv2c {figures['machine']['versions']['mnv2c']}")
    print_table(("", "ours / theirs", *_COUNT_TITLES, "version"), [*rows, ours], right=frozenset(range(1, 7)))
    marking = max(peer["marking"]["instructions"] for peer in peers.values())
    say(f"up to {marking:,} instructions of a peer are Python's, around its call; the ratio is of instructions")


def _counts(line: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"{line[key]:,}" for key in _COUNTS)
