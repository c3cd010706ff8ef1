"""The target files that come with mnv2c, and the loader's complaints."""

import dataclasses
import json
import tomllib
from pathlib import Path

import pytest

from mnv2c import targets
from mnv2c.common import data
from mnv2c.errors import TargetError
from mnv2c.targets import Target, features
from mnv2c.targets.registry import names

NAMES = (
    "aarch64", "android-arm64", "apple-m1", "cortex-a53", "cortex-a55", "cortex-a7", "cortex-a72", "cortex-a76",
    "cortex-a78", "cortex-x1", "host", "neoverse-n1", "sapphirerapids", "x86-64-v3", "x86-64-v4", "znver3",
    "znver4",
)  # fmt: skip
ZIG = {
    "android-arm64": "aarch64-linux-android",
    "apple-m1": "aarch64-macos.11.0",
    "cortex-a7": "arm-linux-gnueabihf.2.17",
    "x86-64-v3": "x86_64-linux-gnu.2.17",
    "x86-64-v4": "x86_64-linux-gnu.2.17",
    "sapphirerapids": "x86_64-linux-gnu.2.17",
    "znver3": "x86_64-linux-gnu.2.17",
    "znver4": "x86_64-linux-gnu.2.17",
}
"""What zig calls the platform; all others are Linux with glibc on 64-bit ARM."""
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
    assert target.libc == {"android-arm64": "bionic", "apple-m1": "libsystem"}.get(name, "gnu")
    assert target.glibc == "2.17"
    assert target.zig_triple == ZIG.get(name, "aarch64-linux-gnu.2.17")
    assert (target.vector_registers, target.vector_bits) == {
        "neon": (32, 128), "neon32": (16, 128), "avx2": (16, 256), "avx512": (32, 512)
    }[target.isa]  # fmt: skip
    assert target.l1d_bytes < target.l2_bytes
    assert set(target.requires) <= set(features.KNOWN[target.arch])
    assert target.isa != "neon" or "asimd" in target.requires
    assert target.description


def test_x86_levels_require_all_of_the_lower_level() -> None:
    assert set(targets.load("x86-64-v3").requires) < set(targets.load("x86-64-v4").requires)


@pytest.mark.parametrize(
    ("name", "level_name"), [("sapphirerapids", "x86-64-v4"), ("znver4", "x86-64-v4"), ("znver3", "x86-64-v3")]
)
def test_code_for_an_x86_cpu_runs_on_every_other_one_of_its_level(name: str, level_name: str) -> None:
    target, level = targets.load(name), targets.load(level_name)
    assert (target.mcpu, target.features, target.requires) == (level.mcpu, level.features, level.requires)


def test_no_part_number_belongs_to_two_targets() -> None:
    entries = [target for target in targets.available() if target.name != "host"]
    parts = [(target.arch, part) for target in entries for part in target.cpu_parts]
    assert len(parts) == len(set(parts))


def test_the_cortex_a53_says_why_it_is_compiled_as_another() -> None:
    target = targets.load("cortex-a53")
    assert target.mcpu == "cortex-a72"
    assert "spills" in target.notes


@pytest.mark.parametrize("name", [name for name in NAMES if name != "host"])
def test_libc_can_be_chosen(name: str) -> None:
    target, own = targets.load(name, libc="musl"), targets.load(name)
    abi = "musleabihf" if target.arch == "arm" else "musl"
    assert target.zig_triple == target.llvm_triple == target.triple == f"{target.arch}-linux-{abi}"
    assert dataclasses.replace(own, libc="musl", triple=target.triple) == target
    assert targets.load(name, libc=own.libc) == own


def test_the_libc_chooses_the_system() -> None:
    android, linux = targets.load("cortex-a78", libc="bionic"), targets.load("apple-m1", libc="gnu")
    assert (android.triple, android.llvm_triple) == ("aarch64-linux-android", "aarch64-linux-android21")
    assert android.platform.system.shared_file("net", 1) == "libnet.so"
    assert android.platform.system.link_file("net") == ""
    assert (linux.zig_triple, linux.mcpu) == ("aarch64-linux-gnu.2.17", "apple-m1")
    macos = targets.load("apple-m1")
    assert (macos.triple, macos.llvm_triple) == ("aarch64-macos", "arm64-apple-macosx11.0.0")
    assert macos.platform.system.own_name("net", 1) == "@rpath/libnet.1.dylib"
    with pytest.raises(TargetError, match=r'libc "bionic": unknown for x86_64; use gnu or musl'):
        targets.load("x86-64-v3", libc="bionic")
    with pytest.raises(TargetError, match=r'libc "libsystem": unknown for arm; use gnu or musl'):
        targets.load("cortex-a7", libc="libsystem")


def test_an_own_file(tmp_path: Path) -> None:
    path = own_file(tmp_path, MINE.replace('name = "cortex-a76"', 'name = "my-board"'))
    assert dataclasses.replace(targets.load(path), name="cortex-a76", entry="cortex-a76") == targets.load("cortex-a76")
    assert targets.load(str(path)).name == "my-board"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mcpu =", "mcppu =", r'unknown key "mcppu" \(did you mean "mcpu"\?\)'),
        ('mcpu = "cortex-a76"', "", "mcpu is missing"),
        ("cores = 4", "cores = 0", "cores must be an integer of at least 1, not 0"),
        ("cores = 4", "cores = true", "cores must be an integer of at least 1, not True"),
        ("cores = 4", 'cores = "4"', "cores must be an integer of at least 1, not '4'"),
        ("cores = 4", "cores = 4\nadds_apart = 1", "adds_apart must be true or false, not 1"),
        ("l3_bytes = 2_097_152", "l3_bytes = -1", "l3_bytes must be an integer of at least 0"),
        ('libc = "gnu"', 'libc = "glibc"', r'libc "glibc" is unknown'),
        ('isa = "neon"', 'isa = "neom"', r'isa "neom" is unknown \(did you mean "neon"\?\)'),
        ('isa = "neon"', 'isa = "avx2"', 'isa "avx2" does not exist on aarch64'),
        ('"asimddp"', '"asimddpp"', r'requires "asimddpp" is unknown \(did you mean "asimddp"\?\)'),
        ("aarch64-linux-gnu", "aarch64-macos", 'triple must be "aarch64-linux-gnu", not "aarch64-macos"'),
        ('isa = "neon"', 'isa = "neon32"', 'isa "neon32" does not exist on aarch64'),
        ("aarch64-linux-gnu", "mips-linux-gnu", 'triple: architecture "mips" is unknown'),
        ('glibc = "2.17"', 'glibc = "new"', 'glibc must be a version like "2.17"'),
        ('features = ["+neon"]', 'features = ["neon"]', r"features must be .* with \+ or - before it, .* not 'neon'"),
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


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", '"*/ int evil; /*"'),
        ("name", '"../../x"'),
        ("name", '"-x"'),
        ("name", '"a b"'),
        ("name", '"a\\u202eb"'),
        ("name", '""'),
        ("name", f'"{"x" * 65}"'),
        ("mcpu", '"cortex-a76 -load=evil.so"'),
        ("mcpu", '"-x"'),
        ("features", '["+neon,+sve"]'),
        ("features", '["+a b"]'),
        ("features", '["+neon\\n"]'),
        ("features", "[" + '"+a", ' * 65 + "]"),
        ("cpu_parts", '["0xd0b} }; int evil = {{0x1"]'),
        ("cpu_parts", '["d0b"]'),
        ("cpu_parts", '["0xD0B"]'),
        ("emulator_cpu", '"-plugin"'),
        ("emulator_cpu", '"max -plugin x"'),
        ("glibc", '"2.17 -evil"'),
        ("glibc", '"2.٣"'),
        ("triple", '"aarch64-linux-gnu -evil"'),
        ("libc", '"../gnu"'),
        ("isa", '"neon\\u0000"'),
        ("requires", '["asimd*/"]'),
        ("description", '"a\\u001b[2J"'),
        ("notes", '"a\\nb"'),
        ("notes", f'"{"x" * 2001}"'),
        ("vector_bits", "0"),
        ("vector_bits", "256"),
        ("vector_registers", "64"),
        ("vector_registers", "1"),
        ("l1d_bytes", "-1"),
        ("l1d_bytes", "0x" + "f" * 10_000),
        ("l2_bytes", "9" * 5_000),
        ("cores", "inf"),
        ("cores", "4.0"),
        ("cores", "1979-05-27T07:32:00Z"),
        ("l3_bytes", "nan"),
        ("vector_fmas", "1_000"),
        ("adds_apart", "[[]]"),
        ("name", "{a = 1}"),
        ("cpu_parts", "[[1]]"),
        ("cpu_parts", "[" * 10_000),
    ],
)
def test_values_that_nothing_may_pass_on(field: str, value: str, tmp_path: Path) -> None:
    """Each would be a part of C, of a command, of a file's name, or more work than memory."""
    others = [f"{name} = {json.dumps(given)}" for name, given in tomllib.loads(MINE).items() if name != field]
    path = own_file(tmp_path, "\n".join([*others, f"{field} = {value}", ""]))
    with pytest.raises(TargetError, match=rf"my\.toml: (.*{field}|not valid TOML)") as caught:
        targets.load(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["my.toml", "host", "nowhere"])
def test_a_choice_of_targets_names_others(name: str, tmp_path: Path) -> None:
    path = own_file(tmp_path, f'name = "mine"\nby_features = ["{tmp_path / name if name == "my.toml" else name}"]\n')
    with pytest.raises(TargetError, match=r"must be the name of another target|unknown"):
        targets.load(path)


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + MINE.encode(), b"a = 1\na = 2", b"\0", b"#" * (1 << 19)])
def test_text_that_is_no_target(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_bytes(content)
    with pytest.raises(TargetError, match=r"my\.toml: not valid TOML"):
        targets.load(tmp_path / "my.toml")


def test_unknown_names() -> None:
    with pytest.raises(TargetError, match=r'target "cortx-a76": unknown \(did you mean "cortex-a76"\?\)'):
        targets.load("cortx-a76")
    with pytest.raises(TargetError, match=r"known: aarch64, android-arm64, .*; or a \.toml file"):
        targets.load("?")
    with pytest.raises(TargetError, match=r"absent\.toml: cannot be read: No such file"):
        targets.load("absent.toml")
    with pytest.raises(
        TargetError, match=r'libc "mussl": unknown for aarch64; use gnu or musl or .* \(did you mean "musl"\?\)'
    ):
        targets.load("aarch64", libc="mussl")


def test_binary_junk(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_bytes(b"\xff\xfe\0")
    with pytest.raises(TargetError, match="not valid TOML"):
        targets.load(tmp_path / "my.toml")


def test_as_dict_is_plain_data() -> None:
    described = targets.load("cortex-a76").as_dict()
    assert described["arch"] == "aarch64"
    assert set(described) == {field.name for field in dataclasses.fields(Target)} | {"arch"}
