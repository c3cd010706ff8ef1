"""Finding the best target for a machine."""

from dataclasses import replace
from pathlib import Path

import pytest

from mnv2c import targets
from mnv2c.errors import TargetError
from mnv2c.targets.host import Machine, detect

V3 = frozenset(targets.load("x86-64-v3").requires)
V4 = frozenset(targets.load("x86-64-v4").requires)
V80 = frozenset({"fp", "asimd", "crc32"})
V82 = V80 | frozenset(targets.load("cortex-a76").requires)


@pytest.mark.parametrize(
    ("arch", "features", "parts", "entry"),
    [
        ("x86_64", V3, (), "x86-64-v3"),
        ("x86_64", V4, (), "x86-64-v4"),
        ("x86_64", V4 - {"avx512vl"}, (), "x86-64-v3"),
        ("x86_64", V3, ("0x1901",), "znver3"),
        ("x86_64", V3, ("0x1911",), "x86-64-v3"),  # AVX-512 is hidden
        ("x86_64", V4, ("0x1911",), "znver4"),
        ("x86_64", V4, ("0x6cf",), "sapphirerapids"),
        ("x86_64", V4, ("0x655",), "x86-64-v4"),  # Skylake
        ("x86_64", V3, ("0x6cf",), "x86-64-v3"),  # AVX-512 is hidden
        ("aarch64", V80, ("0xd03",), "cortex-a53"),
        ("aarch64", V80, ("0xd08",), "cortex-a72"),
        ("aarch64", V80, ("0xd03", "0xd08"), "cortex-a72"),  # big.LITTLE: RK3399
        ("aarch64", V80, ("0xd07",), "aarch64"),  # a Cortex-A57
        ("aarch64", V82, ("0xd05",), "cortex-a55"),
        ("aarch64", V82, ("0xd05", "0xd0b"), "cortex-a76"),  # big.LITTLE: RK3588
        ("aarch64", V82, ("0xd05", "0xd41"), "cortex-a78"),
        ("aarch64", V82, ("0xd05", "0xd41", "0xd44"), "cortex-x1"),  # three kinds of core: Snapdragon 888
        ("aarch64", V82, ("0xd0c",), "neoverse-n1"),
        ("aarch64", V82, ("0xd47",), "cortex-a76"),  # a Cortex-A710
        ("aarch64", V82, (), "cortex-a76"),
    ],
)
def test_the_best_entry_is_chosen(arch: str, features: frozenset[str], parts: tuple[str, ...], entry: str) -> None:
    machine = Machine(arch, features, frozenset(parts), 48_000, 600_000, 0, 6)
    target = targets.load("host", machine=machine)
    assert (target.name, target.entry) == ("host", entry)
    assert (target.l1d_bytes, target.l2_bytes, target.l3_bytes) == (48_000, 600_000, 0)
    assert target == targets.load("host", machine=replace(machine, cores=1))
    assert target.mcpu == targets.load(entry).mcpu


def test_unknown_caches_are_those_of_the_entry() -> None:
    target, entry = targets.load("host", machine=Machine("aarch64", V82)), targets.load("cortex-a76")
    assert (target.l1d_bytes, target.l2_bytes, target.l3_bytes) == (entry.l1d_bytes, entry.l2_bytes, entry.l3_bytes)


def test_unsupported_machines() -> None:
    with pytest.raises(TargetError, match="host: no target for riscv64; name another with --target"):
        targets.load("host", machine=Machine("riscv64", frozenset()))
    with pytest.raises(TargetError, match=r"host: this CPU lacks .*avx2, .*needed by the least target x86-64-v3"):
        targets.load("host", machine=Machine("x86_64", frozenset({"pni"})))


def test_this_machine() -> None:
    machine, target = detect(), targets.load("host")
    assert machine.arch == target.arch
    assert machine.features >= set(target.requires)
    assert machine.cores >= 1
    assert targets.load("host", libc="musl").libc == "musl"


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_cpuinfo_and_caches_are_read(tmp_path: Path) -> None:
    core = "processor\t: {}\nFeatures\t: {}\nCPU implementer\t: 0x41\nCPU part\t: {}\n\n"
    write(tmp_path, "proc/cpuinfo", core.format(0, "fp asimd atomics", "0xd05") + core.format(1, "fp asimd", "0xd03"))
    caches = [("1", "Data", "32K"), ("1", "Instruction", "48K"), ("2", "Unified", "512K"), ("3", "Unified", "2M")]
    for index, (level, kind, size) in enumerate(caches):
        for name, text in (("level", level), ("type", kind), ("size", size)):
            write(tmp_path, f"sys/devices/system/cpu/cpu0/cache/index{index}/{name}", f"{text}\n")
    machine = detect(tmp_path)
    assert machine.features == {"fp", "asimd"}
    assert machine.parts == {"0xd05", "0xd03"}
    assert (machine.l1d_bytes, machine.l2_bytes, machine.l3_bytes) == (32_768, 524_288, 2_097_152)


def test_family_and_model_are_read(tmp_path: Path) -> None:
    core = "processor\t: {}\ncpu family\t: 6\nmodel\t\t: 207\nmodel name\t: Xeon\nflags\t\t: fpu\n\n"
    write(tmp_path, "proc/cpuinfo", core.format(0) + core.format(1))
    assert detect(tmp_path).parts == {"0x6cf"}


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    machine = detect(tmp_path)
    assert (machine.features, machine.parts, machine.l1d_bytes) == (frozenset(), frozenset(), 0)
