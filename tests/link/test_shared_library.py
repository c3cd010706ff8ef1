"""What the shared library shows to the outside, whoever links it."""

import shutil
from pathlib import Path

import pytest

from mnv2c import package, targets
from tests.link import elf
from tests.runtime import fake

LIBC_FUNCTIONS = {"memcpy", "memset", "memmove", "getauxval"}
LIBC_FILES = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libc.so"}
MACHINES = {"x86_64": 62, "aarch64": 183, "arm": 40}

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing")


@pytest.fixture(
    scope="module",
    params=[
        ("x86-64-v3", None, None),
        ("x86-64-v3", None, "musl"),
        ("cortex-a53", None, None),
        ("cortex-a76", None, None),
        ("cortex-a76", None, "musl"),
        ("cortex-a7", None, None),
        ("cortex-a7", None, "musl"),
        ("android-arm64", None, None),
        ("neoverse-n1", None, "bionic"),
        pytest.param(("host", "gcc", None), marks=needs_gcc),
    ],
    ids=lambda param: "-".join(filter(None, param)),
)
def library(request: pytest.FixtureRequest) -> tuple[targets.Target, elf.Elf]:
    name, cc, libc = request.param
    target = targets.load(name, libc=libc)
    return target, elf.parse(fake.link(fake.parts(target), target, cc).shared)


def test_it_exports_the_public_functions_and_nothing_else(library: tuple[targets.Target, elf.Elf]) -> None:
    assert library[1].exports == set(package.exports("fake"))
    assert all(symbol.startswith("fake_") for symbol in library[1].exports)


def test_it_needs_libc_at_most(library: tuple[targets.Target, elf.Elf]) -> None:
    assert library[1].undefined <= LIBC_FUNCTIONS
    assert set(library[1].needed) <= LIBC_FILES


def test_it_is_for_its_target(library: tuple[targets.Target, elf.Elf]) -> None:
    target, found = library
    assert found.machine == MACHINES[target.arch]
    assert all(minor <= int(target.glibc[2:]) for minor in found.glibc_minors)
    if target.libc != "gnu":
        assert not found.glibc_minors
    if target.libc == "bionic":
        assert set(found.needed) <= {"libc.so"}


def test_it_is_hardened_and_fits_large_pages(library: tuple[targets.Target, elf.Elf]) -> None:
    found = library[1]
    assert found.soname == ("libfake.so" if library[0].libc == "bionic" else f"libfake.so.{package.ABI}")
    assert found.binds_now
    assert found.relro
    assert not found.executable_stack
    assert all(alignment == 16384 for alignment in found.load_alignments)


@pytest.mark.parametrize("name", ["cortex-a76", "cortex-a7", "android-arm64", "apple-m1"])
def test_equal_input_gives_equal_bytes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = targets.load(name)
    first = fake.link(fake.parts(target), target)
    (tmp_path / "a rather long folder").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "a rather long folder"))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another cache"))
    monkeypatch.chdir(tmp_path)
    second = fake.link(fake.parts(target), target)
    assert first == second
    assert str(tmp_path).encode() not in second.shared + second.archive


@needs_gcc
def test_equal_input_gives_equal_bytes_with_gcc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = targets.load("host")
    first = fake.link(fake.parts(target), target, "gcc")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert first == fake.link(fake.parts(target), target, "gcc")


def test_no_cache_hides_changed_weights() -> None:
    target = targets.load("host")
    made = fake.parts(target)
    other = fake.Parts(made.name, made.entry, made.header, made.metadata, made.kernels, b"\1" * len(made.weights))
    first, second = fake.link(made, target), fake.link(other, target)
    assert made.weights in first.shared
    assert other.weights in second.shared
    assert made.weights not in second.shared
