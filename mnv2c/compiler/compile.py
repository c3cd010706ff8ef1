"""``mnv2c compile``: the whole pipeline, from what a user names to a folder with a library."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnv2c.compiler.compilation import Compilation
from mnv2c.compiler.options import CompileOptions


@dataclass(frozen=True)
class Compiled:
    """What a compile left behind: the folder, the library's name, its metadata (``NAME.json``)."""

    directory: Path
    name: str
    metadata: dict[str, Any]


def compile_model(options: CompileOptions) -> Compiled:
    """Compile a model into a folder.

    Raises UserError, before anything is written, when an input is at fault, and VerificationError where the library
    computes something else than the network.
    """
    from mnv2c.compiler.depfile import inputs, write_depfile
    from mnv2c.compiler.dump import Dump
    from mnv2c.compiler.pipeline import run

    state, dump = begun(options), Dump(options.dump)
    state.keeps_text = dump.wanted
    run(state, folder=dump)
    if options.depfile is not None:
        archive = state.folder / f"lib{state.library}.a"
        records = [path for known in state.best for path in known.files]
        read = inputs(options.model, options.weights, options.target, options.labels, records)
        write_depfile(Path(options.depfile), archive, read)
    options.tell("done", 1.0)
    return Compiled(state.folder, state.library, state.sources.metadata)


def begun(options: CompileOptions) -> Compilation:
    """Check all that can be checked before any work is done: options, targets, records, places, linker, labels."""
    from mnv2c.compiler import pictures
    from mnv2c.compiler.variants import load_variants, together
    from mnv2c.frames.labels import read_labels
    from mnv2c.link import select_linker
    from mnv2c.package import check_writable
    from mnv2c.records.best import load_best
    from mnv2c.selfcheck import Check

    options.check_values()
    targets = load_variants(options.target, options.libc)
    best = [load_best(target, options.threads, options.schedules) for target in targets]
    state = Compilation(options, targets, best)
    state.folder = Path(options.output)
    check_writable(state.folder)
    if options.depfile is not None:
        check_writable(Path(options.depfile).parent)
    state.linker = select_linker(together(targets), options.cc, options.ndk)
    state.labels = read_labels(options.labels) if options.labels is not None else ()
    state.preprocessing = pictures.check_overrides(options.preprocessing or {})
    state.check = Check.of(options.check or os.environ.get("MNV2C_CHECK") or Check.ALL)
    return state
