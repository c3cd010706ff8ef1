"""``mnv2c compile``: a model becomes a library in a folder."""

from __future__ import annotations

import argparse

from mnv2c import api
from mnv2c.cli.options import (
    MODEL,
    add_input_shape,
    add_json,
    add_limits,
    add_model,
    add_preprocessing,
    add_schedules,
    add_weights,
    model_options,
    preprocessing,
)
from mnv2c.cli.output import print_json, say, size
from mnv2c.common.progress import progress

LISTED = 8
"""Fallbacks that are named; NAME.json has them all."""

HELP = "compile a model into a C library"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the verb."""
    add_model(parser, MODEL + ", or a FILE.onnx")
    add_input_shape(parser)
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="folder for the library; made if missing")
    parser.add_argument(
        "--target", default="host", metavar="T", help="a target (`mnv2c targets`), an own T.toml, or several: A+B"
    )
    parser.add_argument(
        "--libc", metavar="NAME", help="gnu, musl, bionic (Android) or libsystem (macOS); default: target's"
    )
    add_weights(parser)
    parser.add_argument("--name", help="C identifier that every symbol begins with (default: made from the model)")
    parser.add_argument("--cc", metavar="COMPILER", help="C compiler to link with (default: the zig that is installed)")
    parser.add_argument("--ndk", metavar="DIR", help="Android NDK to link with (default: $ANDROID_NDK_HOME, else none)")
    parser.add_argument("--dtype", default="float32", help="data type; only float32 so far")
    parser.add_argument("--batch", type=int, default=1, metavar="N", help="images per run; only 1 so far")
    add_limits(parser)
    add_schedules(parser)
    parser.add_argument(
        "--no-join", action="store_true", help="a kernel per bottleneck, so that `mnv2c verify` sees each result"
    )
    parser.add_argument("--labels", metavar="FILE", help="text file with the name of a class per line, for the library")
    add_preprocessing(parser)
    parser.add_argument(
        "--check",
        metavar="WHICH",
        help="what runs and is compared with ONNX Runtime before anything is written: all (default; kernels of "
        "other CPUs under qemu), native, or none, which lets a wrong library pass",
    )
    parser.add_argument("--dump", metavar="DIR", help="also write what each phase made: ONNX, Relax, plan, kernels")
    parser.add_argument("--depfile", metavar="FILE", help="also write the names of the files read, for make and ninja")
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but errors")
    add_json(parser)


def execute(options: argparse.Namespace) -> int:
    """Compile, then print what the folder holds."""
    with progress(options.quiet) as report:
        compiled = api.compile_model(
            options.model,
            options.target,
            output=options.output,
            weights=options.weights,
            weights_source=options.weights_source,
            seed=options.seed,
            **model_options(options),
            name=options.name,
            dtype=options.dtype,
            batch=options.batch,
            threads=options.threads,
            cc=options.cc,
            libc=options.libc,
            ndk=options.ndk,
            arena_limit=options.arena_limit,
            schedules=options.schedules,
            join=not options.no_join,
            labels=options.labels,
            preprocessing=preprocessing(options),
            check=options.check,
            dump=options.dump,
            depfile=options.depfile,
            progress=report,
        )
    summary = api.describe(compiled.directory / f"{compiled.name}.json")
    if options.json:
        print_json(summary)
    elif not options.quiet:
        _print_summary(summary)
    return 0


def _print_summary(summary: api.Summary) -> None:
    say(f"{summary['name']} for {summary['target']} in {summary['directory']}")
    say(f"  {summary['params']:,} parameters, {summary['madds']:,} MAdds, weights: {summary['weights_source']}")
    say(f"  arena {size(summary['arena_bytes'])}, weights {size(summary['weights_bytes'])}")
    for file, count in summary["files"].items():
        say(f"  {file:<32} {size(count):>10}")
    fallbacks = summary["fallbacks"]
    more = f" and {len(fallbacks) - LISTED} more" if len(fallbacks) > LISTED else ""
    listed = f": {', '.join(fallbacks[:LISTED])}{more}" if fallbacks else ""
    tuned = f" ({summary['tuned']} tuned)" if summary["tuned"] else ""
    say(f"  {summary['chains']} fused kernels{tuned}, {len(fallbacks)} fallbacks{listed}")
    if note := summary["fallback_work"].get("note"):
        say(f"  {note}")
