"""Compiles networks for the tests, for targets that this machine can run."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from mnv2c.api import compile_model
from mnv2c.common import data
from mnv2c.spec import to_toml
from mnv2c.targets.host import detect
from tests.numerics.matrix import Case

AVX2 = "x86-64-v3"
AVX512 = "x86-64-v4"


def has_avx512() -> bool:
    """Whether this CPU runs what is compiled for x86-64-v4."""
    return platform.machine() == "x86_64" and {"avx512f", "avx512bw", "avx512vl"} <= detect().features


def legalised(folder: Path) -> Path:
    """A target file with the kernels of x86-64-v4 and the instructions of x86-64-v3: LLVM halves the vectors."""
    text, lesser = ((data.folder("targets") / f"{name}.toml").read_text("utf-8") for name in (AVX512, AVX2))
    requires = re.search(r"^requires = \[.*?\]$", lesser, re.M | re.S)
    assert requires
    text = re.sub(r"^requires = \[.*?\]$", requires[0], text, flags=re.M | re.S)
    text = re.sub(r"^features = .*$", "features = []", text, flags=re.M)
    text = text.replace(f'"{AVX512}"', '"x86-64-v4-by-avx2"', 1).replace(f'mcpu = "{AVX512}"', f'mcpu = "{AVX2}"')
    path = folder / "x86-64-v4-by-avx2.toml"
    path.write_text(text, "utf-8")
    return path


def build(case: Case, folder: Path, *, join: bool = True) -> Path:
    """Compile a case into ``folder``; AVX-512 is legalised for AVX2 where the CPU lacks it."""
    spec = folder / "spec.toml"
    spec.write_text(to_toml(case.spec), "utf-8")
    target: str | Path = legalised(folder) if case.target == AVX512 and not has_avx512() else case.target
    return compile_model(spec, target, output=folder / f"join_{join}", name="net", join=join).directory
