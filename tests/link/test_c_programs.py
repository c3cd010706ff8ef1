"""The generated C as a C programmer meets it: warnings, sanitizers, two libraries at once, no allocation."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mnv2c import targets
from mnv2c.link import select_linker
from tests.runtime import fake

GCC = shutil.which("gcc")
GXX = shutil.which("g++")
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Werror", "-O2"]

needs_gcc = pytest.mark.skipif(GCC is None, reason="gcc is missing")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = fake.build(tmp_path_factory.mktemp("fake"))
    (made / "kernels.c").write_text(fake.parts(targets.load("host")).kernels)
    return made


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout


def program(folder: Path, text: str, *arguments: str, name: str = "program") -> str:
    """Compile a main program with gcc in ``folder`` and return what it prints."""
    (folder / f"{name}.c").write_text(text)
    run(folder, str(GCC), "-O1", f"{name}.c", *arguments, "-o", name)
    return run(folder, f"./{name}")


@needs_gcc
@pytest.mark.parametrize("target", ["x86-64-v4", "x86-64-v3"])
def test_gcc_finds_nothing_to_warn_about(target: str, tmp_path: Path) -> None:
    made = fake.parts(targets.load(target))
    (tmp_path / "fake.c").write_text(made.entry)
    (tmp_path / "fake.h").write_text(made.header)
    run(tmp_path, str(GCC), *STRICT, "-c", "fake.c", "-o", "fake.o")


@pytest.mark.parametrize("target", ["x86-64-v3", "cortex-a53", "cortex-a76", "cortex-a7", "android-arm64", "apple-m1"])
def test_zig_finds_nothing_to_warn_about(target: str, tmp_path: Path) -> None:
    made, linker = fake.parts(targets.load(target)), select_linker(targets.load(target))
    (tmp_path / "fake.c").write_text(made.entry)
    (tmp_path / "fake.h").write_text(made.header)
    run(tmp_path, *linker.compiler, *STRICT, "-c", "fake.c", "-o", "fake.o")


@needs_gcc
def test_the_header_stands_alone_in_c(folder: Path) -> None:
    run(folder, str(GCC), *STRICT, "-fsyntax-only", "-x", "c", "fake.h")


@pytest.mark.skipif(GXX is None, reason="g++ is missing")
def test_the_header_stands_alone_in_cpp(folder: Path) -> None:
    run(
        folder,
        str(GXX),
        "-std=c++98",
        "-pedantic",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsyntax-only",
        "-x",
        "c++",
        "fake.h",
    )


@needs_gcc
@pytest.mark.parametrize("library", ["libfake.a", "-lfake"])
def test_the_example_runs(folder: Path, library: str) -> None:
    run(folder, str(GCC), "-Wall", "-Wextra", "-Werror", "main.c", "-L.", library, "-Wl,-rpath,.", "-o", "demo")
    x = fake.random_input()
    x.tofile(folder / "input.bin")
    lines = run(folder, "./demo", "input.bin").splitlines()
    assert f"arena {fake.ARENA_BYTES} bytes" in lines[-1]
    mean = fake.reference(x)[0].reshape(-1)
    best, value = lines[0].split()
    assert int(best) == int(mean.argmax())
    assert float(value) == pytest.approx(float(mean.max()), rel=1e-4)
    assert run(folder, "./demo").count("\n") == 4


@needs_gcc
def test_the_example_reports_a_short_file(folder: Path) -> None:
    run(folder, str(GCC), "main.c", "libfake.a", "-o", "demo")
    (folder / "short.bin").write_bytes(b"\0" * 8)
    done = subprocess.run(["./demo", "short.bin"], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "short.bin: cannot read 60 float32 values\n")


USE = """
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include "fake.h"
static _Alignas(64) unsigned char arena[FAKE_ARENA_BYTES];
static float x[60], mean[3], doubled[60];
"""


@needs_gcc
def test_sanitizers_find_nothing(folder: Path, tmp_path: Path) -> None:
    sanitize = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    (tmp_path / "empty.c").write_text("int main(void) { return 0; }")
    probe = subprocess.run(["gcc", *sanitize, "empty.c"], cwd=tmp_path, capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("gcc has no libasan/libubsan here: the entry C was NOT checked by sanitizers")
    for name in ("fake.c", "fake.h", "kernels.c"):
        shutil.copy(folder / name, tmp_path)
    text = fake.SCALES.tobytes()
    words = ", ".join(map(str, text))
    main = (
        USE
        + """
    _Alignas(64) const unsigned char fake_weights[] = {WORDS};
    const char fake_json[] = "{}";
    int main(void)
    {
        fake_ctx *c = malloc(sizeof *c), none;
        void *tight = aligned_alloc(64, 640);
        const void *in[1] = {x};
        void *out[2] = {mean, doubled}, *writable[1] = {x};
        unsigned s;
        memset(&none, 0xee, sizeof none);
        if (fake_init(c, tight, FAKE_ARENA_BYTES, NULL, FAKE_ABI) || fake_run(c, in, out)) return 1;
        if (fake_selftest(c, writable, out)) return 2;
        for (s = 0; s < 4; ++s) if (fake_run_steps(c, in, out, s, 1)) return 3;
        if (fake_run_steps(c, in, out, 1, 0xffffffffu) || fake_run_steps(c, in, out, 0xffffffffu, 2)) return 4;
        if (fake_run(&none, in, out) != FAKE_E_NOT_INITIALISED || fake_run(NULL, in, out) == FAKE_OK) return 5;
        for (s = 0; s < 14; ++s) if (!*fake_strerror((fake_status)s)) return 6;
        if (fake_step_name(3) || strcmp(fake_step_name(2), "split")) return 7;
        free(c); free(tight);
        puts("clean");
        return 0;
    }""".replace("WORDS", words)
    )
    assert program(tmp_path, main, *sanitize, "fake.c", "kernels.c") == "clean\n"


@needs_gcc
def test_a_run_allocates_nothing(folder: Path) -> None:
    text = (
        USE
        + """
    static unsigned calls;
    extern void *__libc_malloc(size_t);
    extern void *__libc_calloc(size_t, size_t);
    extern void *__libc_realloc(void *, size_t);
    extern void __libc_free(void *);
    void *malloc(size_t n) { ++calls; return __libc_malloc(n); }
    void *calloc(size_t a, size_t b) { ++calls; return __libc_calloc(a, b); }
    void *realloc(void *p, size_t n) { ++calls; return __libc_realloc(p, n); }
    void free(void *p) { ++calls; __libc_free(p); }
    int main(void)
    {
        fake_ctx c;
        const void *in[1] = {x};
        void *out[2] = {mean, doubled}, *writable[1] = {x};
        unsigned before, during;
        void *volatile p = malloc(1);
        free(p);
        before = calls;
        if (fake_init(&c, arena, sizeof arena, NULL, FAKE_ABI)) return 1;
        if (fake_run(&c, in, out) || fake_selftest(&c, writable, out) || !fake_metadata()) return 1;
        during = calls - before;
        printf("%u before, %u during\\n", before, during);
        return 0;
    }"""
    )
    if "glibc" not in subprocess.run(["ldd", "--version"], capture_output=True, text=True, check=False).stdout.lower():
        pytest.skip("not glibc: the hook into malloc is glibc's")
    assert program(folder, text, "libfake.a", name="hook") == "2 before, 0 during\n"


@needs_gcc
def test_two_libraries_share_a_program(folder: Path, tmp_path: Path) -> None:
    fake.build(tmp_path, name="fake")
    fake.build(tmp_path, name="other")
    text = (
        USE
        + """
    #include "other.h"
    static _Alignas(64) unsigned char second[OTHER_ARENA_BYTES];
    int main(void)
    {
        fake_ctx a;
        other_ctx b;
        const void *in[1] = {x};
        void *out[2] = {mean, doubled};
        int i;
        for (i = 0; i < 60; ++i) x[i] = 0.25f;
        if (fake_init(&a, arena, sizeof arena, NULL, FAKE_ABI)) return 1;
        if (other_init(&b, second, sizeof second, NULL, OTHER_ABI)) return 1;
        if (fake_run(&a, in, out)) return 1;
        printf("%g %g %g\\n", mean[0], mean[1], mean[2]);
        if (other_run(&b, in, out)) return 1;
        printf("%g %g %g\\n", mean[0], mean[1], mean[2]);
        /* A context of one library is none of the other. */
        return fake_run((fake_ctx *)(void *)&b, in, out) != FAKE_E_NOT_INITIALISED;
    }"""
    )
    for libraries in (["libfake.a", "libother.a"], ["-L.", "-lfake", "-lother", "-Wl,-rpath,."]):
        assert program(tmp_path, text, *libraries) == "0.5 0 2\n0.5 0 2\n"


def test_the_weights_are_in_the_archive(folder: Path) -> None:
    assert np.asarray(fake.SCALES).tobytes() in (folder / "libfake.a").read_bytes()
