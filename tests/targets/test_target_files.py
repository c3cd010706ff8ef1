"""The target files that come with mnv2c, and the loader's complaints."""

import dataclasses
from pathlib import Path

import pytest

from mnv2c import data, targets
from mnv2c.errors import TargetError
from mnv2c.targets import Target, features
from mnv2c.targets.registry import names

NAMES = ("aarch64", "cortex-a53", "cortex-a55", "cortex-a72", "cortex-a76", "host", "x86-64-v3", "x86-64-v4")
MINE = (data.folder("targets") / "cortex-a76.toml").read_text(encoding="utf-8")


def own_file(folder: Path, text: str) -> Path:
    path = folder / "my.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_all_are_there() -> None:
    assert tuple(names()) == NAMES
    assert [target.name for target in targets.available()] == ["host", *(name for name in NAMES if name != "host")]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "host"])
def test_each_is_sound(name: str) -> None:
    target = targets.load(name)
    assert target.name == target.entry == name
    assert target.libc == "gnu"
    assert target.glibc == "2.17"
    assert target.zig_triple == f"{target.arch}-linux-gnu.2.17"
    assert (target.vector_registers, target.vector_bits) == {
        "neon": (32, 128), "avx2": (16, 256), "avx512": (32, 512)
    }[target.isa]  # fmt: skip
    assert target.l1d_bytes < target.l2_bytes
    assert set(target.requires) <= set(features.KNOWN[target.arch])
    assert target.isa != "neon" or "asimd" in target.requires
    assert target.description


def test_x86_levels_require_all_of_the_lower_level() -> None:
    assert set(targets.load("x86-64-v3").requires) < set(targets.load("x86-64-v4").requires)


def test_the_cortex_a53_says_why_it_is_compiled_as_another() -> None:
    target = targets.load("cortex-a53")
    assert target.mcpu == "cortex-a72"
    assert "spills" in target.notes


@pytest.mark.parametrize("name", [name for name in NAMES if name != "host"])
def test_libc_can_be_chosen(name: str) -> None:
    target = targets.load(name, libc="musl")
    assert target.zig_triple == target.triple == f"{target.arch}-linux-musl"
    assert dataclasses.replace(targets.load(name), libc="musl", triple=target.triple) == target
    assert targets.load(name, libc="gnu") == targets.load(name)


def test_an_own_file(tmp_path: Path) -> None:
    path = own_file(tmp_path, MINE.replace('name = "cortex-a76"', 'name = "my board"'))
    assert dataclasses.replace(targets.load(path), name="cortex-a76", entry="cortex-a76") == targets.load("cortex-a76")
    assert targets.load(str(path)).name == "my board"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mcpu =", "mcppu =", r'unknown key "mcppu" \(did you mean "mcpu"\?\)'),
        ('mcpu = "cortex-a76"', "", "mcpu is missing"),
        ("cores = 4", "cores = 0", "cores must be an integer of at least 1, not 0"),
        ("cores = 4", "cores = true", "cores must be an integer of at least 1, not True"),
        ("cores = 4", 'cores = "4"', "cores must be an integer of at least 1, not '4'"),
        ("l3_bytes = 2_097_152", "l3_bytes = -1", "l3_bytes must be an integer of at least 0"),
        ('libc = "gnu"', 'libc = "glibc"', r'libc "glibc" is unknown'),
        ('isa = "neon"', 'isa = "neom"', r'isa "neom" is unknown \(did you mean "neon"\?\)'),
        ('isa = "neon"', 'isa = "avx2"', 'isa "avx2" does not exist on aarch64'),
        ('"asimddp"', '"asimddpp"', r'requires "asimddpp" is unknown \(did you mean "asimddp"\?\)'),
        ("aarch64-linux-gnu", "aarch64-macos", 'triple must be "aarch64-linux-gnu", not "aarch64-macos"'),
        ("aarch64-linux-gnu", "mips-linux-gnu", 'triple: architecture "mips" is unknown'),
        ('glibc = "2.17"', 'glibc = "new"', 'glibc must be a version like "2.17"'),
        ('features = ["+neon"]', 'features = ["neon"]', r'features: "neon" must begin with \+ or -'),
        ('features = ["+neon"]', 'features = "+neon"', "features must be a list of strings"),
        ('mcpu = "cortex-a76"', "mcpu = 76", "mcpu must be a string, not 76"),
        ("cores = 4", "cores = ", "not valid TOML"),
    ],
)
def test_mistakes_are_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in MINE
    path = own_file(tmp_path, MINE.replace(old, new))
    with pytest.raises(TargetError, match=rf"my\.toml: .*{message}") as caught:
        targets.load(path)
    assert "\n" not in str(caught.value)


def test_unknown_names() -> None:
    with pytest.raises(TargetError, match=r'target "cortex-a67": unknown \(did you mean "cortex-a76"\?\)'):
        targets.load("cortex-a67")
    with pytest.raises(TargetError, match=r"known: aarch64, cortex-a53, .*; or a \.toml file"):
        targets.load("?")
    with pytest.raises(TargetError, match=r"absent\.toml: cannot be read: No such file"):
        targets.load("absent.toml")
    with pytest.raises(TargetError, match=r'libc "mussl": unknown; use gnu or musl \(did you mean "musl"\?\)'):
        targets.load("aarch64", libc="mussl")


def test_binary_junk(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_bytes(b"\xff\xfe\0")
    with pytest.raises(TargetError, match="not valid TOML"):
        targets.load(tmp_path / "my.toml")


def test_as_dict_is_plain_data() -> None:
    described = targets.load("cortex-a76").as_dict()
    assert described["arch"] == "aarch64"
    assert set(described) == {field.name for field in dataclasses.fields(Target)} | {"arch"}
