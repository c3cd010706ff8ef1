"""Compiled networks for 32-bit ARM, Android and macOS: the numbers where an emulator runs them, the files elsewhere."""

from pathlib import Path

import pytest

from mnv2c import package
from mnv2c.api import compile_model
from mnv2c.runtime import emulator
from mnv2c.verification.comparison import compare
from tests.link import elf, macho
from tests.link.test_macos import SYSTEM, ZIGS_OWN

needs_qemu_arm = pytest.mark.skipif(
    emulator.find_qemu("arm") is None, reason="qemu-arm is missing (apt-get install qemu-user): cortex-a7 was NOT run"
)
PUBLIC = set(package.exports("net", ("label", "load_frame", "frame_bytes", "top", "run_frame")))


def small(folder: Path, target: str, resolution: int = 32, libc: str | None = None) -> Path:
    """MobileNetV2 0.35 under the name ``net``."""
    return compile_model(
        "mobilenet_v2", target, output=folder, width=0.35, resolution=resolution, name="net", libc=libc
    ).directory


@needs_qemu_arm
@pytest.mark.emulated
def test_32_bit_arm_is_right(tmp_path: Path) -> None:
    folder = small(tmp_path, "cortex-a7", 96)
    report = compare(folder)
    report.raise_if_failed()
    assert report.max_rel_error <= 1e-4
    emulator.selftest(folder)
    found = elf.parse((folder / "libnet.so.2").read_bytes())
    assert found.exports == PUBLIC
    assert found.undefined <= {"getauxval", "memset", "memcpy"}


@pytest.mark.emulated
def test_a_library_for_android_is_right(tmp_path: Path) -> None:
    """The static one, whose code is the same; the shared one asks for no file that Android lacks."""
    folder = small(tmp_path, "android-arm64")
    compare(folder).raise_if_failed()
    found = elf.parse((folder / "libnet.so").read_bytes())
    assert found.exports == PUBLIC
    assert found.needed == ("libc.so",)
    assert found.soname == "libnet.so"
    assert found.load_alignments == (16384,) * len(found.load_alignments)
    assert not (folder / "libnet.so.2").exists()


def test_a_library_for_macos_has_its_files(tmp_path: Path) -> None:
    folder = small(tmp_path, "apple-m1")
    found = macho.parse((folder / "libnet.2.dylib").read_bytes())
    assert found.own_name == "@rpath/libnet.2.dylib"
    assert found.exports - ZIGS_OWN == {f"_{symbol}" for symbol in PUBLIC}
    assert found.bound <= SYSTEM
    assert (folder / "libnet.dylib").readlink() == Path("libnet.2.dylib")
    assert not list(folder.glob("*.so*"))


@pytest.mark.slow
@pytest.mark.emulated
@pytest.mark.parametrize(("target", "libc"), [("apple-m1", "gnu"), ("cortex-x1", None), ("neoverse-n1", "musl")])
def test_the_other_arm_cores_are_right(target: str, libc: str | None, tmp_path: Path) -> None:
    compare(small(tmp_path, target, 96, libc)).raise_if_failed()
