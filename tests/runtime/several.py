"""The fake library with kernels for several CPUs, of which the first compute wrong values: it shows which ones ran."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mnv2c import package
from mnv2c.codegen.entry import library_source
from mnv2c.codegen.selftest import expected, selftest_input
from mnv2c.compiler.variants import load_variants, prefix, together
from mnv2c.link import Linked, select_linker
from mnv2c.plan.program import Program
from mnv2c.targets import Target
from tests.runtime import fake


def program(name: str) -> Program:
    """The steps of the fake library with kernels of its own."""
    whole = fake.program()
    return replace(
        whole, steps=tuple(replace(step, kernel=step.kernel.replace("fake", name, 1)) for step in whole.steps)
    )


def texts(targets: str) -> tuple[dict[str, str], str, tuple[Target, ...]]:
    """Return the C files by name, the metadata, and the variants, best first."""
    variants = load_variants(targets)
    programs = [program(prefix("fake", target, variants)) for target in variants]
    described = [
        package.metadata(
            own, "fake", target, summary="", dtype="float32", params=3, madds=60, model={}, weights_source="seed 0",
            toolchain={}, chains=[{"name": "scale"}, {"name": "relu6"}, {"name": "split"}], fallbacks=[],
        )
        for own, target in zip(programs, variants, strict=True)
    ]  # fmt: skip
    meta = package.with_variants(described, together(variants).name)
    outputs = [expected(output) for output in fake.reference(selftest_input(fake.SHAPE))]
    sources = {
        "fake.c": library_source(list(zip(variants, programs, strict=True)), "fake", outputs),
        "fake.h": package.header_source(programs[0], "fake", meta),
    }
    for index, target in enumerate(variants):
        kernels = fake.KERNELS.replace("NAME", prefix("fake", target, variants))
        fault = "NO_FAULT" if index else "WRONG_VALUES"
        sources[f"kernels_{index}.c"] = kernels.replace("fault = NO_FAULT", f"fault = {fault}")
    return sources, package.to_json(meta), variants


def build(folder: Path, targets: str) -> Path:
    """Link the library into ``folder`` and return that."""
    sources, metadata, variants = texts(targets)
    target = together(variants)
    linked: Linked = select_linker(target).link(
        "fake",
        sources=sources,
        objects={},
        blobs={"fake_weights": fake.program().weights, "fake_json": metadata.encode() + b"\0"},
        exports=package.exports("fake", variants=len(variants)),
        abi=package.ABI,
    )
    files = package.shared_files(target.platform.system, "fake", linked.shared)
    package.write(folder, {**files, "libfake.a": linked.archive, "fake.h": sources["fake.h"], "fake.json": metadata})
    return folder
