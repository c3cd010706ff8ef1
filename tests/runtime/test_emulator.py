"""The static program: canaries, foreign CPUs, CPU check."""

import platform
import shutil
from pathlib import Path

import numpy as np
import pytest

from mnv2c import runtime, targets
from mnv2c.errors import LibraryError
from mnv2c.runtime import emulator
from mnv2c.runtime.metadata import read
from mnv2c.targets.host import detect
from tests.runtime import fake

x86_only = pytest.mark.skipif(platform.machine() != "x86_64", reason="an x86-64 machine is needed")
needs_qemu_arm = pytest.mark.skipif(emulator.find_qemu("arm") is None, reason="qemu-arm is missing")
needs_qemu_x86 = pytest.mark.skipif(emulator.find_qemu("x86_64") is None, reason="qemu-x86_64 is missing")


def same(found: emulator.Emulated, x: np.ndarray) -> bool:
    return all(np.allclose(a, b, rtol=1e-5) for a, b in zip(found.outputs, fake.reference(x), strict=True))


def test_it_runs_natively_as_a_static_program(tmp_path: Path) -> None:
    folder, x = fake.build(tmp_path), fake.random_input()
    assert emulator.launcher(read(folder)) == ()
    found = emulator.run(folder, [x], steps=True)
    assert same(found, x)
    wanted = list(runtime.load(folder).trace(x))
    assert [(a.step, a.name, a.onnx) for a in found.steps] == [(b.step, b.name, b.onnx) for b in wanted]
    assert all(np.array_equal(a.value, b.value) for a, b in zip(found.steps, wanted, strict=True))
    emulator.selftest(folder)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("WRITES_BEHIND_ARENA", "bytes beside buffer 0 were written"),
        ("WRITES_BEFORE_ARENA", "bytes beside buffer 0 were written"),
        ("WRITES_BEFORE_OUTPUT", "bytes beside buffer 2 were written"),
        ("READS_BEHIND_OUTPUT", "crashed: SIGSEGV"),
        ("KERNEL_FAILS", "status 10: a kernel reported a failure"),
    ],
)
def test_faults_are_found(fault: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=message):
        emulator.run(fake.build(tmp_path, fault=fault), [fake.random_input()])


def test_a_failing_self_test(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="status 11: the self-test"):
        emulator.selftest(fake.build(tmp_path, fault="WRONG_VALUES"))


def test_inputs_are_checked(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="must be float32"):
        emulator.run(fake.build(tmp_path), [np.zeros(fake.SHAPE)])


@pytest.mark.emulated
@pytest.mark.parametrize(
    "target",
    [
        *("aarch64", "android-arm64", "cortex-a53", "cortex-a55", "cortex-a72", "cortex-a76", "neoverse-n1"),
        pytest.param("cortex-a7", marks=needs_qemu_arm),
    ],
)
def test_arm(target: str, tmp_path: Path) -> None:
    folder, x = fake.build(tmp_path, target), fake.random_input()
    found = emulator.run(folder, [x], steps=True)
    assert same(found, x)
    assert len(found.steps) == 4
    emulator.selftest(folder)


@pytest.mark.emulated
def test_arm_with_musl(tmp_path: Path) -> None:
    x = fake.random_input()
    assert same(emulator.run(fake.build(tmp_path, "cortex-a76", libc="musl"), [x]), x)


@pytest.mark.emulated
def test_an_armv8_2_library_refuses_an_armv8_0_cpu(tmp_path: Path) -> None:
    folder = fake.build(tmp_path, "cortex-a76")
    with pytest.raises(LibraryError, match="status 2: this CPU or operating system lacks a feature"):
        emulator.run(folder, [fake.random_input()], cpu="cortex-a53")


@needs_qemu_arm
@pytest.mark.parametrize("cpu", ["cortex-a8", "cortex-a9"])
def test_a_library_for_vfpv4_refuses_older_32_bit_cpus(cpu: str, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="status 2: this CPU or operating system lacks a feature"):
        emulator.run(fake.build(tmp_path, "cortex-a7"), [fake.random_input()], cpu=cpu)


def test_a_library_for_a_mac_does_not_run_here(tmp_path: Path) -> None:
    folder = fake.build(tmp_path, "apple-m1")
    with pytest.raises(LibraryError, match=r"compiled for aarch64-macos, which runs on a Mac only; .* --libc gnu"):
        emulator.run(folder, [fake.random_input()])


@x86_only
@needs_qemu_x86
@pytest.mark.parametrize("cpu", ["qemu64", "Nehalem", "max,-avx2", "max,-xsave", "max,-fma", "max,-abm"])
def test_an_avx2_library_refuses_lesser_cpus(cpu: str, tmp_path: Path) -> None:
    folder = fake.build(tmp_path, "x86-64-v3")
    with pytest.raises(LibraryError, match="status 2: this CPU or operating system lacks a feature"):
        emulator.run(folder, [fake.random_input()], cpu=cpu)


@x86_only
@needs_qemu_x86
def test_an_avx2_library_runs_emulated(tmp_path: Path) -> None:
    folder, x = fake.build(tmp_path, "x86-64-v3"), fake.random_input()
    cpu = targets.load("x86-64-v3").emulator_cpu
    try:
        assert same(emulator.run(folder, [x], cpu=cpu), x)
    except LibraryError as error:
        if "status 2" not in str(error):
            raise
        pytest.skip("this qemu does not emulate AVX2 (it came with 7.2)")


@x86_only
@pytest.mark.skipif("avx512f" in detect().features, reason="this CPU has AVX-512")
def test_an_avx512_library_refuses_this_cpu(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"lacks a feature that the library was compiled for \(.*avx512f.*\)"):
        runtime.load(fake.build(tmp_path, "x86-64-v4"))


@x86_only
@pytest.mark.skipif(not {"avx512f", "avx512vl"} <= detect().features, reason="this CPU lacks AVX-512")
def test_an_avx512_library_runs_on_this_cpu(tmp_path: Path) -> None:
    runtime.load(fake.build(tmp_path, "x86-64-v4")).selftest()


def test_without_qemu_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = "cortex-a53" if platform.machine() == "x86_64" else "x86-64-v3"
    folder = fake.build(tmp_path, foreign)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(LibraryError, match=r"but qemu-\w+ is missing; install it \(.*apt-get install qemu-user\)"):
        emulator.run(folder, [fake.random_input()])
