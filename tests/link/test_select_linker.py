"""Choosing the compiler, and one clear line when that fails."""

import shutil
import stat
from pathlib import Path

import pytest

from mnv2c import targets
from mnv2c.errors import LinkerError
from mnv2c.link import select, select_linker
from mnv2c.link.linker import first_error
from tests.runtime import fake

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing")


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_zig_is_the_default() -> None:
    linker = select_linker(targets.load("cortex-a76"))
    assert linker.version.startswith("zig 0.17")
    assert linker.compiler[1:] == ("cc", "-target", "aarch64-linux-gnu.2.17")
    musl = select_linker(targets.load("x86-64-v3", libc="musl"))
    assert musl.compiler[-1] == "x86_64-linux-musl"


def test_without_zig_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "find_spec", lambda name: None)
    with pytest.raises(LinkerError, match=r"ziglang is missing; install one with `pip install ziglang.*--cc") as caught:
        select_linker(targets.load("host"))
    assert "\n" not in str(caught.value)


def test_a_broken_zig_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = script(tmp_path / "zig", "echo 'error: no such luck' >&2; exit 3")
    monkeypatch.setattr(select, "zig_program", lambda: Path(broken))
    with pytest.raises(LinkerError, match="does not work: error: no such luck"):
        select_linker(targets.load("host"))


@pytest.mark.parametrize("cc", ["no-such-compiler", "/no/such/gcc -O2", " "])
def test_a_missing_compiler_is_reported(cc: str) -> None:
    with pytest.raises(LinkerError, match="not found; install it, or leave --cc out"):
        select_linker(targets.load("host"), cc)


def test_a_compiler_for_another_cpu_is_refused(tmp_path: Path) -> None:
    cc = script(tmp_path / "strange-gcc", "echo sparc-linux-gnu")
    with pytest.raises(LinkerError, match="compiles for sparc-linux-gnu, but the target cortex-a53 is aarch64-linux"):
        select_linker(targets.load("cortex-a53"), cc)


def test_a_compiler_for_another_libc_is_refused(tmp_path: Path) -> None:
    for machine, libc in (("aarch64-linux-gnu", "musl"), ("aarch64-alpine-linux-musl", "gnu")):
        cc = script(tmp_path / f"{libc}-gcc", f"echo {machine}")
        with pytest.raises(LinkerError, match=f"compiles for {machine}, but .* is aarch64-linux-{libc}"):
            select_linker(targets.load("cortex-a53", libc=libc), cc)


def test_the_archiver_of_the_same_prefix_is_preferred(tmp_path: Path) -> None:
    cc = script(tmp_path / "aarch64-linux-gnu-gcc", "echo aarch64-linux-gnu")
    archiver = script(tmp_path / "aarch64-linux-gnu-ar", "")
    assert select_linker(targets.load("cortex-a53"), cc).archiver == (archiver,)


def test_options_may_follow_the_compiler(tmp_path: Path) -> None:
    cc = script(tmp_path / "cc", "echo aarch64-linux-gnu")
    assert select_linker(targets.load("cortex-a53"), f"{cc} --sysroot=/x").compiler == (cc, "--sysroot=/x")


@pytest.mark.parametrize("cc", [None, pytest.param("gcc", marks=needs_gcc)])
def test_the_first_error_of_the_compiler_is_shown(cc: str | None) -> None:
    target = targets.load("host")
    made = fake.parts(target)
    spoilt = fake.Parts(made.name, "int f(void) { return nothing; }\n", made.header, "", made.kernels, b"")
    with pytest.raises(LinkerError, match=r"failed on fake\.c: fake\.c:1:\d+: error: .*nothing") as caught:
        fake.link(spoilt, target, cc)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cc", [None, pytest.param("gcc", marks=needs_gcc)])
def test_a_missing_symbol_is_an_error(cc: str | None) -> None:
    target = targets.load("host")
    made = fake.parts(target)
    spoilt = fake.Parts(made.name, made.entry, made.header, made.metadata, "", made.weights)
    with pytest.raises(LinkerError, match=r"failed on libfake\.so\.2: .*fake_(scale|relu6|split)"):
        fake.link(spoilt, target, cc)


def test_the_telling_line_is_picked() -> None:
    assert first_error("note: x\nfoo.c:1: error: bad\nerror: worse") == "foo.c:1: error: bad"
    assert first_error("x.c:(.text): undefined reference to `f'\ncollect2: error: ld returned 1") == (
        "x.c:(.text): undefined reference to `f'"
    )
    assert first_error("something odd\n") == "something odd"
    assert first_error("") == "no message"


def test_an_unwritable_cache_is_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    linker = select_linker(targets.load("host"))
    assert Path(dict(linker.environment)["ZIG_GLOBAL_CACHE_DIR"]).is_dir()
    assert str(tmp_path / "file") not in dict(linker.environment)["ZIG_GLOBAL_CACHE_DIR"]
