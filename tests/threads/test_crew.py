"""Libraries whose work several threads share: their own pool, one of the caller, none; from Python and from C."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mnv2c import __version__, package, runtime, targets
from mnv2c.codegen.parallel import threads_source
from mnv2c.errors import LibraryError
from mnv2c.link import select_linker
from mnv2c.runtime import emulator
from tests.link import elf
from tests.runtime import fake
from tests.threads import crew
from tests.threads.counting import settles_at, threads_of_this_process

GCC = shutil.which("gcc")
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Werror", "-O2"]
PTHREAD = re.compile(r"pthread_(create|join|sigmask|(mutex|cond)_\w+)|sig(fill|del)set")
COUNT = 4

needs_gcc = pytest.mark.skipif(GCC is None, reason="gcc is missing")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crew.build(tmp_path_factory.mktemp("crew"), COUNT)


def test_the_texts_are_as_agreed(golden: Callable[[str, str], None]) -> None:
    for target in ("cortex-a76", "android-arm64"):
        made = crew.texts(targets.load(target), 2)
        for name in ("crew.c", "crew.h", "crew_threads.c")[0 if target == "cortex-a76" else 2 :]:
            golden(f"{target}.{name}", made[name].replace(__version__, "VERSION"))


@pytest.mark.parametrize("threads", range(1, COUNT + 1))
def test_any_number_of_threads_computes_the_same(folder: Path, threads: int) -> None:
    library, alone = runtime.load(folder, threads=threads), runtime.load(folder)
    for seed in range(50):
        x = crew.random_input(seed)
        found = library(x)
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, crew.reference(x), rtol=1e-5, atol=1e-5)
        assert found.tobytes() == np.asarray(alone(x)).tobytes()
    library.selftest()


def test_threads_end_with_their_library(folder: Path) -> None:
    before = threads_of_this_process()
    library = runtime.load(folder, threads=3)
    copy = library.clone()
    copy(crew.random_input())
    assert threads_of_this_process() == before + 4
    del copy
    assert settles_at(before + 2)
    del library
    assert settles_at(before)


def test_a_forked_process_ends_without_them(folder: Path) -> None:
    """It has none of the threads, and must not wait for them."""
    library = runtime.load(folder, threads=3)
    child = os.fork()
    if child == 0:
        del library
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    np.testing.assert_allclose(library(crew.random_input()), crew.reference(crew.random_input()), rtol=1e-5, atol=1e-5)


def test_one_thread_starts_none(folder: Path) -> None:
    before = threads_of_this_process()
    library = runtime.load(folder)
    library(crew.random_input())
    assert threads_of_this_process() == before


def test_several_libraries_with_threads_run_at_once(folder: Path) -> None:
    x = crew.random_input()
    wanted = np.asarray(runtime.load(folder)(x)).tobytes()

    def work(_: int) -> bool:
        library = runtime.load(folder, threads=2)
        return all(np.asarray(library(x)).tobytes() == wanted for _ in range(100))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


@pytest.mark.parametrize("threads", [0, -1, COUNT + 1])
def test_other_numbers_of_threads_are_refused(folder: Path, threads: int) -> None:
    with pytest.raises(LibraryError, match=rf"compiled for at most {COUNT} thread\(s\), not {threads}"):
        runtime.load(folder, threads=threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_part_that_fails(tmp_path: Path, threads: int) -> None:
    library = runtime.load(crew.build(tmp_path, 2, fault="KERNEL_FAILS"), threads=threads)
    with pytest.raises(LibraryError, match="crew: a kernel reported a failure"):
        library(crew.random_input())


@pytest.mark.emulated
def test_without_a_libc_one_thread_runs_all_parts(tmp_path: Path) -> None:
    foreign = "cortex-a53" if targets.load("host").arch == "x86_64" else "x86-64-v3"
    made = crew.build(tmp_path, COUNT, foreign)
    if emulator.find_qemu(targets.load(foreign).arch) is None:
        pytest.skip("qemu's user mode is missing")
    x = crew.random_input()
    np.testing.assert_allclose(emulator.run(made, (x,)).outputs[0], crew.reference(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "libc", "files"),
    [
        ("x86-64-v3", None, {"libc.so.6", "libpthread.so.0"}),
        ("x86-64-v3", "musl", {"libc.so"}),
        ("cortex-a76", None, {"libc.so.6", "libpthread.so.0"}),
        ("cortex-a7", None, {"libc.so.6", "libpthread.so.0"}),
        ("android-arm64", None, {"libc.so"}),
    ],
)
def test_it_needs_nothing_but_the_c_librarys_threads(name: str, libc: str | None, files: set[str]) -> None:
    target = targets.load(name, libc=libc)
    found = elf.parse(crew.link(target, 2).shared)
    assert found.exports == set(package.exports(crew.NAME))
    others = {symbol for symbol in found.undefined if not PTHREAD.fullmatch(symbol)}
    assert others <= {"memcpy", "memset", "memmove", "getauxval"}
    assert {symbol for symbol in found.undefined if symbol.startswith("pthread_")}
    assert set(found.needed) <= files
    assert all(minor <= int(target.glibc[2:]) for minor in found.glibc_minors)


def test_without_threads_nothing_of_them_is_there() -> None:
    """See also tests/link/test_shared_library.py: such a library needs nothing but memcpy and its kin."""
    target = targets.load("x86-64-v3")
    assert threads_source(fake.program(), "fake", target) == {}
    assert "pthread" not in fake.parts(target).entry + fake.parts(target).header


@pytest.mark.parametrize("target", ["x86-64-v3", "cortex-a76", "cortex-a7", "android-arm64", "apple-m1"])
def test_zig_finds_nothing_to_warn_about(target: str, tmp_path: Path) -> None:
    linker = select_linker(targets.load(target))
    for name, text in crew.texts(targets.load(target), COUNT).items():
        (tmp_path / name).write_text(text)
    for name in ("crew.c", "crew_threads.c"):
        command = (*linker.compiler, *STRICT, "-c", name, "-o", "made.o")
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


DATA = 'const unsigned char crew_weights[64];\nconst char crew_json[] = "";\n'

CALLER = r"""
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "crew.h"
enum { ROUNDS = 300 };
static float x[256], wanted[256];
static void check(int fits, const char *what) { if (!fits) { puts(what); exit(1); } }
static void *arena_of(size_t bytes) { return aligned_alloc(64, (bytes + 63) / 64 * 64); }
static void use(const crew_threads *threads, float *y)
{
    crew_ctx context;
    void *arena = arena_of(CREW_ARENA_BYTES);
    int round;
    check(crew_init(&context, arena, CREW_ARENA_BYTES, threads, CREW_ABI) == CREW_OK, "init");
    for (round = 0; round < ROUNDS; ++round) {
        memset(y, 0, sizeof x);
        check(crew_run(&context, (const void *[]){x}, (void *[]){y}) == CREW_OK, "run");
        check(memcmp(y, wanted, sizeof x) == 0, "another result");
    }
    check(crew_deinit(&context) == CREW_OK, "deinit");
    check(crew_deinit(&context) == CREW_E_NOT_INITIALISED, "deinit twice");
    check(crew_run(&context, (const void *[]){x}, (void *[]){y}) == CREW_E_NOT_INITIALISED, "run after deinit");
    free(arena);
}
static void *user(void *count)
{
    float y[256];
    crew_threads threads = {NULL, *(unsigned *)count, NULL};
    use(&threads, y);
    return NULL;
}
/* A pool of the caller that counts, and runs the parts backwards. */
struct counts { unsigned calls, tasks; };
static void backwards(void *pool, void (*task)(void *arg, unsigned index), void *arg, unsigned tasks)
{
    struct counts *counts = pool;
    counts->calls += 1;
    counts->tasks += tasks;
    while (tasks-- > 0) task(arg, tasks);
}
int main(void)
{
    static float y[256];
    struct counts counts = {0, 0};
    unsigned numbers[] = {1, 2, 3, 4};
    crew_threads mine = {&counts, CREW_THREADS, backwards}, none = {NULL, 0, NULL};
    crew_threads many = {NULL, CREW_THREADS + 1, NULL};
    pthread_t users[4];
    crew_ctx context;
    void *arena = arena_of(CREW_ARENA_BYTES);
    int i;
    for (i = 0; i < 256; ++i) x[i] = (float)i / 100 - 1;
    check(crew_init(&context, arena, CREW_ARENA_BYTES, NULL, CREW_ABI) == CREW_OK, "init alone");
    check(crew_run(&context, (const void *[]){x}, (void *[]){wanted}) == CREW_OK, "run alone");
    check(crew_init(&context, arena, CREW_ARENA_BYTES, &none, CREW_ABI) == CREW_E_THREADS, "no thread");
    check(crew_init(&context, arena, CREW_ARENA_BYTES, &many, CREW_ABI) == CREW_E_THREADS, "too many threads");
    check(crew_deinit(&context) == CREW_E_NOT_INITIALISED, "deinit after a failed init");
    check(crew_deinit(NULL) == CREW_E_NULL_CONTEXT, "deinit of nothing");
    check(crew_arena_bytes(0) == 0 && crew_arena_bytes(CREW_THREADS + 1) == 0, "arena of no threads");
    check(crew_arena_bytes(1) == CREW_ARENA_BYTES && crew_arena_bytes(CREW_THREADS) == CREW_ARENA_BYTES, "arena");
    free(arena);
    use(&mine, y);
    check(counts.calls == 3 * ROUNDS && counts.tasks == 3 * ROUNDS * CREW_THREADS, "counts");
    for (i = 0; i < 4; ++i) check(pthread_create(&users[i], NULL, user, &numbers[i]) == 0, "create");
    for (i = 0; i < 4; ++i) pthread_join(users[i], NULL);
    puts("done");
    return 0;
}
"""


def program(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Compile the caller and all of the library with gcc and run them."""
    for name, text in crew.texts(targets.load("host"), COUNT).items():
        (folder / name).write_text(text)
    (folder / "caller.c").write_text(CALLER)
    (folder / "data.c").write_text(DATA)
    sources = ["caller.c", "crew.c", "crew_threads.c", "kernels.c", "data.c"]
    command = [str(GCC), "-std=gnu11", "-O1", "-g", *flags, *sources, "-lpthread", "-o", "caller"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return subprocess.run(["./caller"], cwd=folder, capture_output=True, text=True, check=False, timeout=300)


@needs_gcc
@pytest.mark.parametrize("flags", ["-fsanitize=thread", "-fsanitize=address,undefined", "-DPLAIN"])
def test_sanitizers_find_nothing(tmp_path: Path, flags: str) -> None:
    done = program(tmp_path, flags, "-fno-sanitize-recover=all" if "sanitize" in flags else "-DSAME")
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr[-3000:]


@needs_gcc
def test_the_thread_sanitizer_would_find_a_race(tmp_path: Path) -> None:
    """A pool that does not wait for the others' parts, to see that the test above looks at what it should."""
    original = crew.texts

    def hasty(target: targets.Target, threads: int, fault: str = "NO_FAULT") -> dict[str, str]:
        made = original(target, threads, fault)
        made["crew_threads.c"] = made["crew_threads.c"].replace(
            "(mine, 0, round);\n    await(mine);", "(mine, 0, round);"
        )
        assert made["crew_threads.c"] != original(target, threads, fault)["crew_threads.c"]
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crew, "texts", hasty)
        done = program(tmp_path, "-fsanitize=thread")
    assert done.returncode != 0


STARVED = r"""
#include <pthread.h>
#include <stdio.h>
#include "crew.h"
static _Alignas(64) unsigned char arena[CREW_ARENA_BYTES];
static int left, running;
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*work)(void *), void *arg);
int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*work)(void *), void *arg)
{
    if (left-- == 0) return 11;
    ++running;
    return __real_pthread_create(thread, how, work, arg);
}
int __wrap_pthread_join(pthread_t thread, void **result) { --running; return __real_pthread_join(thread, result); }
int main(void)
{
    const crew_threads threads = {NULL, CREW_THREADS, NULL};
    for (int allowed = 0; allowed <= (int)CREW_THREADS - 1; ++allowed) {
        crew_ctx context;
        crew_status status;
        left = allowed;
        status = crew_init(&context, arena, sizeof arena, &threads, CREW_ABI);
        printf("%d %d %s\n", allowed, running, crew_strerror(status));
        if (status == CREW_OK) crew_deinit(&context);
    }
    printf("%d\n", running);
    return 0;
}
"""


@needs_gcc
def test_threads_that_cannot_be_started_leave_none_behind(tmp_path: Path) -> None:
    for name, text in crew.texts(targets.load("host"), 3).items():
        (tmp_path / name).write_text(text)
    (tmp_path / "starved.c").write_text(STARVED)
    (tmp_path / "data.c").write_text(DATA)
    sources = ["starved.c", "crew.c", "crew_threads.c", "kernels.c", "data.c"]
    wrap = ["-Wl,--wrap=pthread_create", "-Wl,--wrap=pthread_join", "-lpthread", "-o", "starved"]
    subprocess.run([str(GCC), *sources, *wrap], cwd=tmp_path, check=True, capture_output=True)
    done = subprocess.run(["./starved"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == [
        "0 0 a thread could not be started",
        "1 0 a thread could not be started",
        "2 2 success",
        "0",
    ]


def test_python_threads_may_share_one_library(folder: Path) -> None:
    """Calls wait for each other."""
    library, x = runtime.load(folder, threads=2), crew.random_input()
    wanted = np.asarray(library(x)).tobytes()
    found: list[bool] = []
    users = [
        threading.Thread(target=lambda: found.append(np.asarray(library(x)).tobytes() == wanted)) for _ in range(8)
    ]
    for user in users:
        user.start()
    for user in users:
        user.join()
    assert found == [True] * 8


@pytest.mark.slow
@pytest.mark.emulated
def test_threads_of_an_emulated_arm(tmp_path: Path) -> None:
    """A static program with musl; the first run builds that, which takes a minute."""
    target = targets.load("cortex-a53", libc="musl")
    sources = {**crew.texts(target, COUNT), "caller.c": CALLER, "data.c": DATA}
    for name, text in sources.items():
        (tmp_path / name).write_text(text)
    compiler = select_linker(target).compiler
    files = [name for name in sources if name.endswith(".c")]
    command = [*compiler, "-static", "-std=gnu11", "-O1", *files, "-o", "caller"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    qemu = emulator.find_qemu("aarch64")
    run = [qemu, "./caller"] if qemu else ["./caller"]
    done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
