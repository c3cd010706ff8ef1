"""The threads of a library's pool leave signals to the application's own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mnv2c import runtime, targets
from mnv2c.link import select_linker
from mnv2c.runtime import emulator
from tests.threads import crew
from tests.threads.test_crew import DATA

GCC = shutil.which("gcc")
FAULTS = {signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV}
CANNOT = {signal.SIGKILL, signal.SIGSTOP}

SIGNALS = r"""
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include "crew.h"
static pthread_t mine;
static volatile sig_atomic_t here, elsewhere;
static unsigned char arena[CREW_ARENA_BYTES] __attribute__((aligned(64)));
static float x[256], y[256];
static void handle(int number) { (void)number; if (pthread_equal(mine, pthread_self())) ++here; else ++elsewhere; }
int main(void)
{
    const crew_threads threads = {NULL, CREW_THREADS, NULL};
    struct sigaction action = {.sa_handler = handle};
    crew_ctx context;
    sigset_t usr1, now;
    int i;
    mine = pthread_self();
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigaction(SIGUSR1, &action, NULL);
    if (crew_init(&context, arena, sizeof arena, &threads, CREW_ABI) != CREW_OK) return 1;
    pthread_sigmask(SIG_SETMASK, NULL, &now);
    for (i = 1; i < 32; ++i) if (sigismember(&now, i)) return 2; /* the caller's own mask is as it was */
    for (i = 0; i < 100; ++i) { /* sent to the process: the system gives it to any thread that takes it */
        pthread_sigmask(SIG_BLOCK, &usr1, NULL);
        kill(getpid(), SIGUSR1);
        if (crew_run(&context, (const void *[]){x}, (void *[]){y}) != CREW_OK) return 3;
        pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
    }
    if (crew_deinit(&context) != CREW_OK) return 4;
    printf("%d %d\n", (int)here, (int)elsewhere);
    return 0;
}
"""


def masks() -> dict[str, set[int]]:
    """What each thread of this process blocks."""
    found = {}
    for thread in Path("/proc/self/task").iterdir():
        line = next(line for line in (thread / "status").read_text().splitlines() if line.startswith("SigBlk"))
        bits = int(line.split()[1], 16)
        found[thread.name] = {number for number in range(1, 32) if bits >> (number - 1) & 1}
    return found


def test_every_signal_but_faults_is_blocked(tmp_path: Path) -> None:
    folder = crew.build(tmp_path, 4)
    before, own = masks(), signal.pthread_sigmask(signal.SIG_BLOCK, set())
    library = runtime.load(folder, threads=4)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == own
    wanted, end = [set(range(1, 32)) - FAULTS - CANNOT] * 3, time.monotonic() + 30
    new: list[set[int]] = []
    while new != wanted and time.monotonic() < end:  # the C library blocks everything until a thread has started
        new = [blocked for thread, blocked in masks().items() if thread not in before]
    assert new == wanted
    library(crew.random_input())


def build(tmp_path: Path, name: str, compiler: tuple[str, ...], *flags: str) -> Path:
    libc = "musl" if "-static" in flags else None
    sources = {**crew.texts(targets.load(name, libc=libc), 3), "signals.c": SIGNALS, "data.c": DATA}
    for file, text in sources.items():
        (tmp_path / file).write_text(text)
    files = [file for file in sources if file.endswith(".c")]
    command = [*compiler, "-std=gnu11", "-O1", *flags, *files, "-lpthread", "-o", "signals"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    return tmp_path / "signals"


@pytest.mark.skipif(GCC is None, reason="gcc is missing")
def test_handlers_run_on_the_applications_threads(tmp_path: Path) -> None:
    program = build(tmp_path, "host", (str(GCC),))
    done = subprocess.run([str(program)], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, "100 0\n")


@pytest.mark.slow
@pytest.mark.emulated
@pytest.mark.parametrize(("name", "arch"), [("cortex-a53", "aarch64"), ("cortex-a7", "arm")])
def test_handlers_run_on_the_applications_threads_on_arm(tmp_path: Path, name: str, arch: str) -> None:
    """Static programs with musl; the first build of that takes a minute."""
    qemu = emulator.find_qemu(arch)
    if qemu is None and os.uname().machine != arch:
        pytest.skip(f"qemu-{arch} is missing")
    program = build(tmp_path, name, select_linker(targets.load(name, libc="musl")).compiler, "-static")
    command = [*([qemu] if qemu else []), str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "100 0\n"), done.stderr
