"""Linking for Android: with stand-ins for its libraries, and with a development kit, here one that only takes notes."""

import stat
from pathlib import Path

import pytest

from mnv2c import targets
from mnv2c.errors import LinkerError
from mnv2c.link import ndk, select_linker, stubs
from tests.link import elf
from tests.runtime import fake

CLANG = """#!/bin/sh
echo "$(basename "$0") $*" >> "LOG"
while [ $# -gt 1 ]; do
    [ "$1" = -o ] && echo made > "$2"
    shift
done
"""
ARCHIVER = """#!/bin/sh
echo "$(basename "$0") $*" >> "LOG"
echo made > "$2"
"""
ANDROID = targets.load("android-arm64")


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """A folder like that of the development kit, whose tools write their arguments into ``log``."""
    folder = tmp_path / "my kit"
    tools = folder / ndk.TOOLS / "linux-x86_64" / "bin"
    tools.mkdir(parents=True)
    (folder / "source.properties").write_text("Pkg.Desc = Android NDK\nPkg.Revision = 27.2.12479018\n")
    for name, text in (("clang", CLANG), ("llvm-ar", ARCHIVER)):
        (tools / name).write_text(text.replace("LOG", str(tmp_path / "log")))
        (tools / name).chmod(stat.S_IRWXU)
    return folder


def link_with(kit: Path | None) -> list[str]:
    """The commands that linking a library ran."""
    linker = select_linker(ANDROID, ndk=kit)
    made = fake.parts(ANDROID)
    linker.link(
        "fake", sources={"fake.c": made.entry, "fake.h": made.header}, objects={}, blobs={"fake_weights": made.weights},
        exports=("fake_run",), abi=1,
    )  # fmt: skip
    return (linker_log(Path(linker.compiler[0]))).splitlines()


def linker_log(clang: Path) -> str:
    return (clang.parents[len(Path(ndk.TOOLS).parts) + 3] / "log").read_text()


def test_the_kits_clang_links(kit: Path) -> None:
    commands = link_with(kit)
    assert all(line.startswith(("clang --target=aarch64-linux-android21 ", "llvm-ar ")) for line in commands)
    assert sum(line.startswith("llvm-ar rcsD libfake.a ") for line in commands) == 1
    shared = commands[-1]
    for flag in ("-shared", "-Wl,-soname,libfake.so", "-Wl,-z,max-page-size=16384", "-Wl,--version-script=exports"):
        assert f" {flag} " in shared
    assert shared.endswith(" -nostartfiles -lm -o libfake.so")
    assert select_linker(ANDROID, ndk=kit).version == "Android NDK 27.2.12479018"


def test_the_kit_of_the_environment_is_used_for_android_only(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ndk.VARIABLE, str(kit))
    assert Path(select_linker(ANDROID).compiler[0]).is_relative_to(kit)
    assert select_linker(targets.load("cortex-a78", libc="bionic")).version.startswith("Android NDK")
    assert select_linker(targets.load("cortex-a78")).version.startswith("zig")


def test_a_kit_is_refused_for_another_system(kit: Path) -> None:
    with pytest.raises(LinkerError, match=r"--ndk .*: only for Android, but the target cortex-a78 .*--libc bionic"):
        select_linker(targets.load("cortex-a78"), ndk=kit)


def test_a_folder_that_is_no_kit(tmp_path: Path) -> None:
    with pytest.raises(LinkerError, match=r"no Android NDK .* leave --ndk and "):
        select_linker(ANDROID, ndk=tmp_path)


def test_a_compiler_for_linux_is_refused(tmp_path: Path) -> None:
    cc = tmp_path / "cc"
    cc.write_text("#!/bin/sh\necho aarch64-linux-gnu\n")
    cc.chmod(stat.S_IRWXU)
    with pytest.raises(LinkerError, match="compiles for aarch64-linux-gnu, but the target android-arm64 is"):
        select_linker(ANDROID, str(cc))


MATHS = """
#include "fake.h"
extern float expf(float);
int32_t fake_scale(const float *s, const float *x, float *y) { y[0] = expf(s[0] * x[0]); return 0; }
int32_t fake_relu6(float *y) { (void)y; return 0; }
int32_t fake_split(const float *a, float *b, float *c, float *d) { (void)a; (void)b; (void)c; (void)d; return 0; }
"""


def test_without_a_kit_mathematics_come_from_the_device() -> None:
    made = fake.parts(ANDROID)
    found = elf.parse(fake.link(fake.Parts("fake", made.entry, made.header, "{}", MATHS, made.weights), ANDROID).shared)
    assert found.needed == ("libc.so", "libm.so")
    assert {"getauxval", "expf"} <= found.undefined


def test_what_android_lacks_is_an_error() -> None:
    made = fake.parts(ANDROID)
    spoilt = MATHS.replace("expf", "no_such_function")
    with pytest.raises(LinkerError, match=r"failed on libfake\.so: .*no_such_function"):
        fake.link(fake.Parts("fake", made.entry, made.header, "{}", spoilt, made.weights), ANDROID)


def test_no_function_is_listed_twice() -> None:
    names = [name for stub in stubs.ANDROID for name in stub.functions]
    assert len(names) == len(set(names))
