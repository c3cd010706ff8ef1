"""A library with kernels for several CPUs: which are chosen, how an application chooses others, what runs then."""

import platform
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mnv2c import runtime
from mnv2c.common import data
from mnv2c.errors import CannotRunError, LibraryError
from mnv2c.link import select_linker
from mnv2c.link.select import static_linker
from mnv2c.runtime import emulator, execution
from mnv2c.runtime.description import Description
from mnv2c.runtime.metadata import read
from mnv2c.targets.host import detect
from mnv2c.verification import comparison
from tests.link import elf
from tests.link.test_c_programs import STRICT
from tests.runtime import fake, several

X86, ARM = "x86-64-v3+x86-64-v4", "cortex-a53+cortex-a55+cortex-a72+cortex-a76"
HERE = platform.machine() == "x86_64"

CHOICES = """
#include "system.h"
#include "fake.h"
static unsigned char arena[FAKE_ARENA_BYTES] __attribute__((aligned(64)));
static const char *const wanted[] = {"cortex-a53", "cortex-a55", "cortex-a72", "cortex-a76", "cortex-a7", ""};
static void put(long number)
{
    print_number(number);
    print(" ");
}
int program(int argc, char **argv)
{
    fake_ctx context = {{0}};
    unsigned i;
    (void)argc;
    (void)argv;
    put(fake_set_variant(NULL, NULL) == FAKE_E_NULL_CONTEXT && fake_variant(NULL) == NULL
        && fake_variant(&context) == NULL && fake_set_variant(&context, NULL) == FAKE_E_NOT_INITIALISED);
    put((long)fake_init(&context, arena, sizeof arena, NULL, FAKE_ABI));
    print(fake_variant(&context));
    print(" ");
    for (i = 0; i < sizeof wanted / sizeof *wanted; ++i) {
        put((long)fake_set_variant(&context, wanted[i]));
    }
    put((long)fake_set_variant(&context, NULL));
    print(fake_variant(&context));
    return 0;
}
"""

E_CPU, E_VARIANT = 2, 18


def choices(folder: Path, targets: str, arch: str) -> Path:
    """Build a program that tells which variant it got, and what came of others."""
    several.build(folder, targets)
    system = {name: (emulator.HERE / name).read_text() for name in emulator.SYSTEM}
    sources = {"main.c": CHOICES, "fake.h": (folder / "fake.h").read_text(), **system}
    program = folder / "choices"
    program.write_bytes(static_linker(arch).executable(sources, [folder / "libfake.a"], emulator.FLAGS))
    program.chmod(0o755)
    return program


def told(program: Path, arch: str, cpu: str) -> str:
    """What the program prints on an emulated CPU, behind qemu's warnings of what it does not emulate."""
    command = [str(emulator.find_qemu(arch)), "-cpu", cpu, str(program)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()[-1]


@pytest.fixture(scope="module")
def arm_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return choices(tmp_path_factory.mktemp("arm"), ARM, "aarch64")


@pytest.mark.emulated
@pytest.mark.parametrize(
    ("cpu", "chosen", "newer"),
    [
        ("cortex-a53", "cortex-a53", E_CPU),
        ("cortex-a72", "cortex-a72", E_CPU),
        ("cortex-a57", "cortex-a72", E_CPU),  # known to none: of those for ARMv8.0 the biggest core's
        ("cortex-a76", "cortex-a76", 0),
        ("neoverse-n1", "cortex-a76", 0),
        ("a64fx", "cortex-a72", E_CPU),  # ARMv8.2, but without the dot product
    ],
)
def test_the_core_decides(arm_program: Path, cpu: str, chosen: str, newer: int) -> None:
    forced = [0, newer, 0, newer, E_VARIANT, E_VARIANT]
    assert told(arm_program, "aarch64", cpu) == f"1 0 {chosen} {' '.join(map(str, forced))} 0 {chosen}"


@pytest.fixture(scope="module")
def x86_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program with kernels for two CPUs of equal features: family 6, model 0x3c, and family 0x19, model 1."""
    folder = tmp_path_factory.mktemp("x86-parts")
    text = (data.folder("targets") / "x86-64-v3.toml").read_text("utf-8")
    for name, part in (("haswell", "0x63c"), ("milan", "0x1901")):
        own = text.replace('name = "x86-64-v3"', f'name = "{name}"')
        (folder / f"{name}.toml").write_text(f'{own}cpu_parts = ["{part}"]\n', "utf-8")
    return choices(folder, f"{folder / 'haswell.toml'}+{folder / 'milan.toml'}", "x86_64")


@pytest.mark.emulated
@pytest.mark.skipif(emulator.find_qemu("x86_64") is None, reason="qemu-x86_64 is missing: NOT tried")
@pytest.mark.parametrize(
    ("cpu", "chosen"),
    [("Haswell", "haswell"), ("EPYC-Milan", "milan"), ("EPYC", "haswell")],  # the last is known to none: the first
)
def test_family_and_model_decide(x86_program: Path, cpu: str, chosen: str) -> None:
    assert told(x86_program, "x86_64", cpu).split()[2] == chosen


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not HERE:
        pytest.skip("not an x86-64 machine: its choice was NOT tried")
    return several.build(tmp_path_factory.mktemp("x86"), X86)


def test_a_library_chooses_and_obeys(folder: Path) -> None:
    library = runtime.load(folder)
    wide = "x86-64-v4"
    best = wide if set(read(folder).of(wide).requires) <= detect().features else "x86-64-v3"
    assert read(folder).variants == (wide, "x86-64-v3")
    assert library.description.variant == best
    x = fake.random_input()
    right = runtime.load(folder, variant="x86-64-v3")
    np.testing.assert_allclose(right(x)[0], fake.reference(x)[0], rtol=1e-5)
    right.selftest()
    assert right.clone().description.variant == "x86-64-v3"
    assert next(result.name for result in right.trace(x)) == "scale"
    if best == wide:
        assert not np.allclose(library(x)[0], fake.reference(x)[0], rtol=1e-5)  # its kernels add to every value
        with pytest.raises(LibraryError, match="other values than the reference"):
            library.selftest()


def test_the_harness_runs_the_variant_that_is_named(folder: Path) -> None:
    description, x = read(folder).of("x86-64-v3"), fake.random_input()
    emulator.selftest(description)
    np.testing.assert_allclose(emulator.run(description, [x]).outputs[0], fake.reference(x)[0], rtol=1e-5)


def test_wrong_names_are_told(folder: Path) -> None:
    with pytest.raises(
        LibraryError, match=r'no variant "x86_64_v4" \(did you mean "x86-64-v4"\?\): it has kernels for'
    ):
        runtime.load(folder, variant="x86_64_v4")
    with pytest.raises(LibraryError, match="has kernels for one CPU only"):
        runtime.load(fake.build(folder / "one"), variant="x86-64-v4")


def test_only_variants_that_cannot_run_are_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compare(seed: int, description: Description, machine: object) -> comparison.Report:
        if description.variant == "x86-64-v4":
            raise fault("no")
        return comparison.Report(folder, "here", (comparison.Comparison("all", "y", 0.0),))

    monkeypatch.setattr(comparison, "_compare", compare)
    monkeypatch.setattr(execution, "executor", lambda where, threads, name, guarded: (read(where).of(name), None))
    fault: type[LibraryError] = CannotRunError
    report = comparison.compare(folder)
    assert report.passed and report.skipped == {"x86-64-v4": "no"}
    fault = LibraryError  # a crash
    with pytest.raises(LibraryError, match="no"):
        comparison.compare(folder)


def test_only_public_functions_show(folder: Path) -> None:
    found = elf.parse((folder / "libfake.so.2").read_bytes())
    public = "abi version arena_bytes arena_align init deinit run run_steps step_name selftest strerror metadata"
    assert found.exports == {f"fake_{word}" for word in [*public.split(), "variant", "set_variant"]}


@pytest.mark.parametrize("targets", [X86, ARM, "cortex-a78+cortex-x1"])
def test_zig_finds_nothing_to_warn_about(targets: str, tmp_path: Path) -> None:
    sources, _, variants = several.texts(targets)
    for name in ("fake.c", "fake.h"):
        (tmp_path / name).write_text(sources[name])
    compiler = select_linker(variants[0]).compiler
    done = subprocess.run([*compiler, *STRICT, "-c", "fake.c"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
