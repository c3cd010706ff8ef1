"""``--target A+B``: one library with kernels for several CPUs; what they share, and what cannot be one library."""

import json
import re
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

import mnv2c
from mnv2c.api import compile_model
from mnv2c.cli.main import main
from mnv2c.compiler.depfile import inputs
from mnv2c.compiler.variants import load_variants, together
from mnv2c.errors import LibraryError, TargetError, UserError
from mnv2c.learning.evaluation.network import Network
from mnv2c.runtime.library import Library
from mnv2c.runtime.metadata import read
from mnv2c.targets.host import detect
from tests.link import elf
from tests.threads.counting import settles_at, threads_of_this_process

SMALL: dict[str, Any] = {"width": 0.35, "resolution": 32, "name": "net"}


def test_the_order_in_which_targets_are_given_does_not_matter() -> None:
    names = ["cortex-a53", "cortex-a55", "cortex-a72", "cortex-a76", "aarch64"]
    wanted = ["cortex-a76", "cortex-a55", "cortex-a72", "cortex-a53", "aarch64"]
    for given in permutations(names):
        assert [target.name for target in load_variants("+".join(given))] == wanted
    assert together(load_variants("x86-64-v3+x86-64-v4")).name == "x86-64-v4+x86-64-v3"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("cortex-a76+x86-64-v3", r"cortex-a76 is for aarch64-linux-gnu and x86-64-v3 for x86_64-linux-gnu; .*apart"),
        ("cortex-a76+android-arm64", r"a library is for one system: .* give one --libc"),
        ("cortex-a76+cortex-a55+cortex-a76", "cortex-a76 twice; name each CPU once"),
        ("cortex-a76+", 'target "": unknown'),
        ("cortex-a76+cortexa55", r'did you mean "cortex-a55"'),
        ("cortex-a76+cortex-a57", r'target "cortex-a57": unknown \(known: aarch64, '),
    ],
)
def test_what_cannot_be_one_library_is_refused(
    given: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TargetError, match=message):
        load_variants(given)
    assert main(["compile", "mobilenet_v2", "--target", given, "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_one_c_library_makes_them_fit() -> None:
    found = load_variants("cortex-a76+android-arm64", "bionic")
    assert [target.name for target in found] == ["cortex-a76", "android-arm64"]


def test_this_machine_is_one_cpu_under_two_names() -> None:
    host = load_variants("host")[0]
    with pytest.raises(TargetError, match=f"host and {host.entry} are the same CPU"):
        load_variants(f"host+{host.entry}")


def test_a_plan_is_for_one_cpu() -> None:
    with pytest.raises(UserError, match="one CPU at a time"):
        mnv2c.plan_model("mobilenet_v2", "x86-64-v3+x86-64-v4")


def test_every_target_file_is_noted() -> None:
    found = inputs("mobilenet_v2", None, "cortex-a55+cortex-a76")
    assert {"cortex-a55.toml", "cortex-a76.toml"} <= {path.name for path in found}


def sections(folder: Path) -> list[set[str]]:
    """The kernels that the steps of every variant call."""
    meta = json.loads((folder / "net.json").read_text())
    return [{chain["kernel"] for chain in variant["chains"]} for variant in meta["variants"]]


def test_a_library_for_two_x86_cpus(tmp_path: Path) -> None:
    compiled = compile_model("mobilenet_v2", "x86-64-v3+x86-64-v4", output=tmp_path, threads=2, join=False, **SMALL)
    meta = compiled.metadata
    assert meta["target"]["name"] == "x86-64-v4+x86-64-v3"
    wide, narrow = sections(tmp_path)
    assert all(symbol.startswith("net_x86_64_v4_") for symbol in wide)
    assert all(symbol.startswith("net_x86_64_v3_") for symbol in narrow)
    description = read(tmp_path)
    first, second = (description.of(name) for name in description.variants)
    assert [step.results for step in first.steps] == [step.results for step in second.steps]
    found = elf.parse((tmp_path / "libnet.so.2").read_bytes())
    assert not {symbol for symbol in found.exports if re.search("v[34]", symbol)}
    report = mnv2c.verify(tmp_path, check=False)
    runs = [name for name in description.variants if set(description.of(name).requires) <= detect().features]
    assert {item.step.split()[0] for item in report.comparisons} == set(runs)
    assert set(report.skipped) == {*description.variants} - {*runs}
    report.raise_if_failed()
    for name in runs:
        mnv2c.load(tmp_path, threads=2, variant=name).selftest()
    before = threads_of_this_process()
    with pytest.raises(LibraryError):
        Library(replace(first, variant="x86-64-v9"), threads=2)
    assert settles_at(before)  # no thread of the pool is left in memory that others get
    measured = Network(tmp_path, variant="x86-64-v3") if "x86-64-v3" in runs else None
    assert measured is None or measured.description.variant == "x86-64-v3"


@pytest.mark.emulated
def test_cpus_that_pack_alike_share_weights(tmp_path: Path) -> None:
    """The A53 and the A76 have vectors and second-level caches of one size."""
    meta = compile_model("mobilenet_v2", "cortex-a53+cortex-a76", output=tmp_path, **SMALL).metadata
    alone = [sum(chain["weights_bytes"] for chain in variant["chains"]) for variant in meta["variants"]]
    assert meta["weights_bytes"] < 1.01 * max(alone)
    report = mnv2c.verify(tmp_path)
    assert {item.step.split()[0] for item in report.comparisons} == {"cortex-a53", "cortex-a76"}
