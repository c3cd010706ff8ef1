"""AVX-512 code itself, run on an emulated CPU: every step against onnxruntime, as ``mnv2c verify`` compares."""

import json
from pathlib import Path

import pytest

from mnv2c.api import compile_model
from mnv2c.errors import LibraryError
from mnv2c.spec import to_toml
from mnv2c.verification import tolerance
from mnv2c.verification.comparison import compare
from tests.numerics import bochs
from tests.numerics.building import AVX512
from tests.numerics.matrix import Case, pairwise
from tests.sharing import once

SMALL = Case(AVX512, 0.35, (96, 96), "symmetric", 32, "linear", "bottleneck")
ODD = Case(AVX512, 1.0, (97, 131), "tf_same", 32, "linear", "bottleneck")
CASES = list(dict.fromkeys((ODD, *(case for case in pairwise() if case.target == AVX512))))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "avx512", lambda folder: build(SMALL, folder))


@pytest.fixture(autouse=True)
def pc() -> None:
    if reason := bochs.missing():
        pytest.skip(f"AVX-512 code was NOT run: {reason}")


def build(case: Case, folder: Path) -> Path:
    spec = folder / "spec.toml"
    spec.write_text(to_toml(case.spec), "utf-8")
    return compile_model(spec, AVX512, output=folder / "library", name="net").directory


def check(case: Case, library: Path) -> None:
    machine = bochs.Bochs(library)
    report = compare(library, machine=machine)
    print(f"\n{case} on {report.where}: {machine.seconds:.1f} s, largest error {report.max_rel_error:.1e}")
    for item in report.comparisons:
        print(f"  {item.step:32} {item.tensor:24} {item.error:.1e}")
    report.raise_if_failed()
    assert report.max_rel_error <= 1e-4 == tolerance.FLOAT32
    meta = json.loads((library / "net.json").read_text())
    steps = [entry["name"] for entry in (*meta["chains"], *meta["fallbacks"])]
    assert {item.step for item in report.comparisons} == {*steps, "whole run"}
    machine.selftest()


def test_every_step_equals_the_reference(small: Path) -> None:
    check(SMALL, small)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_step_of_more_cases_equals_the_reference(case: Case, tmp_path: Path) -> None:
    check(case, build(case, tmp_path))


@pytest.mark.parametrize(
    "machine",
    [
        pytest.param(bochs.Pc(cpu="corei7_haswell_4770"), id="a CPU without AVX-512"),
        pytest.param(bochs.Pc(registers=0x07), id="an operating system that does not save zmm registers"),
        pytest.param(bochs.Pc(registers=0x03), id="an operating system that does not save ymm registers"),
    ],
)
def test_it_refuses(machine: bochs.Pc, small: Path) -> None:
    with pytest.raises(LibraryError, match="status 2"):
        bochs.Bochs(small, machine).selftest()
