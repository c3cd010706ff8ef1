"""A compiled MobileNetV2 as a C library: its memory, its symbols, its statuses, its contexts."""

import ctypes
import json
import platform
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnv2c import package, runtime, targets
from mnv2c.api import compile_model
from mnv2c.compiler.options import PlanOptions
from mnv2c.compiler.source import read_source
from mnv2c.errors import LibraryError
from mnv2c.plan.assemble import assemble
from mnv2c.plan.network import Network
from mnv2c.runtime import emulator
from mnv2c.runtime.frames import aligned
from mnv2c.runtime.metadata import read
from mnv2c.verification.comparison import compare, random_inputs
from tests.link import elf
from tests.link.test_c_programs import program
from tests.link.test_shared_library import LIBC_FILES, LIBC_FUNCTIONS
from tests.numerics import building
from tests.pipeline import fuse, schedule
from tests.sharing import once

ARENA_LIMIT = 1_300_000
TARGETS = (
    "host", "x86-64-v3", "x86-64-v4", "aarch64", "android-arm64", "apple-m1", "cortex-a53", "cortex-a55", "cortex-a7",
    "cortex-a72", "cortex-a76", "cortex-a78", "cortex-x1", "neoverse-n1", "sapphirerapids", "znver3",
    "znver4",
)  # fmt: skip
UNLIKE = {"x86-64-v3", "x86-64-v4", "znver4", "cortex-a7", "cortex-a53", "cortex-a76"}
"""Of these those that run by default: the other targets are much like one of them."""
(OK, E_ABI, E_CPU, E_NULL_CONTEXT, E_NULL_ARENA, E_ARENA_SIZE, E_ARENA_ALIGN, E_NULL_BUFFER,
 E_NOT_INITIALISED) = range(9)  # fmt: skip


def small(folder: Path, target: str | Path = "host") -> Path:
    """MobileNetV2 0.35/96 under the name ``net``."""
    return compile_model("mobilenet_v2", target, output=folder, width=0.35, resolution=96, name="net").directory


def full_size(folder: Path, target: str = "host") -> Path:
    """MobileNetV2 1.0/224 under the name ``net``."""
    return compile_model("mobilenet_v2", target, output=folder, name="net").directory


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "small", small)


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with AVX-512 code."""
    return once(tmp_path_factory, "wide", lambda folder: small(folder, building.AVX512))


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1.0/224 for this machine."""
    return once(tmp_path_factory, "large", full_size)


@pytest.fixture(scope="session")
def large_a76(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1.0/224 for Cortex-A76."""
    return once(tmp_path_factory, "large_a76", lambda folder: full_size(folder, "cortex-a76"))


def image(folder: Path, seed: int = 0) -> np.ndarray[Any, Any]:
    return next(iter(random_inputs(read(folder), seed).values()))


@pytest.fixture(scope="module")
def fused() -> Network:
    """MobileNetV2 1.0/224, not yet for any target."""
    model = read_source(PlanOptions("mobilenet_v2")).model
    return fuse(model)


@pytest.mark.parametrize(
    "name", [name if name in UNLIKE else pytest.param(name, marks=pytest.mark.slow) for name in TARGETS]
)
def test_the_arena_is_small_on_every_target(name: str, fused: Network) -> None:
    """1.0/224; a plan needs no compiler, so every target is planned. Caller's buffers and weights are not in it."""
    if name == "host" and platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("no target fits this machine")
    assert fused.fallbacks == ()
    kernels = schedule(fused, "net", targets.load(name))
    size = assemble(kernels.network, kernels.nodes).arena_bytes
    assert size <= (450_000 if name in ("x86-64-v4", "cortex-a53", "cortex-a76") else ARENA_LIMIT)


def test_no_target_is_forgotten() -> None:
    assert set(TARGETS) >= set(targets.registry.names()) | UNLIKE


def test_every_bottleneck_is_one_kernel(fused: Network) -> None:
    """Planned for this machine without joins."""
    kernels = schedule(fused, "net", targets.load("host"), join=False)
    assert kernels.network.fallbacks == ()
    assert assemble(kernels.network, kernels.nodes).arena_bytes <= ARENA_LIMIT
    made_of = {node.label: {str(stage.kind) for stage in node.chain.stages} for node in kernels.network.chains}
    assert len(made_of) == len(kernels.network.nodes) == 19
    bottlenecks = [name for name, kinds in made_of.items() if {"depthwise", "project"} <= kinds]
    assert bottlenecks == ["stem_bottleneck_01", *(f"bottleneck_{number:02d}" for number in range(2, 18))]
    assert sum("add" in made_of[name] for name in bottlenecks) == 10


def test_every_bottleneck_is_in_a_kernel(large: Path) -> None:
    meta = json.loads((large / "net.json").read_text())
    assert meta["fallbacks"] == []
    assert meta["arena_bytes"] <= ARENA_LIMIT
    stages = [stage for chain in meta["chains"] for stage in chain["stages"]]
    assert [stages.count(kind) for kind in ("stem", "expand", "depthwise", "project", "add")] == [1, 16, 17, 17, 10]
    assert stages[-3:] == ["pointwise", "pool", "dense"]


def test_it_is_right_in_exactly_its_arena(large: Path) -> None:
    """The static program puts guard pages and canaries around the arena and all buffers."""
    report = compare(large)
    report.raise_if_failed()
    assert report.max_rel_error <= 1e-4
    library, x = runtime.load(large), image(large)
    assert library.arena.nbytes == read(large).arena_bytes <= ARENA_LIMIT
    alone = emulator.run(large, [x])
    assert np.array_equal(alone.outputs[0], library(x))
    library.selftest()
    emulator.selftest(large)


@pytest.mark.emulated
def test_it_is_right_in_exactly_its_arena_on_arm(large_a76: Path) -> None:
    """Every step runs in the static program, between guard pages and canaries."""
    report = compare(large_a76)
    report.raise_if_failed()
    assert report.max_rel_error <= 1e-4
    assert read(large_a76).arena_bytes <= ARENA_LIMIT
    emulator.selftest(large_a76)


@pytest.mark.emulated
def test_an_armv8_2_library_refuses_a_cortex_a53(large_a76: Path) -> None:
    with pytest.raises(LibraryError, match="status 2: this CPU or operating system lacks a feature"):
        emulator.run(large_a76, [image(large_a76)], cpu="cortex-a53")


def test_an_avx512_library_refuses_a_cpu_without_it(wide: Path) -> None:
    if platform.machine() != "x86_64" or building.has_avx512():
        pytest.skip("needs an x86-64 CPU without AVX-512: the refusal on such a CPU was NOT seen")
    with pytest.raises(LibraryError, match=r"lacks a feature that the library was compiled for \(.*avx512f.*\)"):
        runtime.load(wide)
    with pytest.raises(LibraryError, match="status 2: this CPU or operating system lacks a feature"):
        emulator.run(wide, [image(wide)])


@pytest.mark.parametrize("which", ["folder", "wide", "large_a76"])
def test_it_exports_its_functions_and_needs_libc_at_most(which: str, request: pytest.FixtureRequest) -> None:
    found = elf.parse((request.getfixturevalue(which) / "libnet.so.2").read_bytes())
    assert found.exports == set(package.exports("net", ("label", "load_frame", "frame_bytes", "top", "run_frame")))
    assert found.undefined <= LIBC_FUNCTIONS
    assert set(found.needed) <= LIBC_FILES
    assert found.soname == "libnet.so.2"
    assert not found.executable_stack and found.binds_now and found.relro


HOOKED = """
#include <stdio.h>
#include <stdlib.h>
#include "net.h"
static unsigned calls;
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
void *malloc(size_t n) { ++calls; return __libc_malloc(n); }
void *calloc(size_t a, size_t b) { ++calls; return __libc_calloc(a, b); }
void *realloc(void *p, size_t n) { ++calls; return __libc_realloc(p, n); }
void free(void *p) { ++calls; __libc_free(p); }
static _Alignas(64) unsigned char arena[NET_ARENA_BYTES];
static float x[NET_INPUT_0_BYTES / 4], y[NET_OUTPUT_0_BYTES / 4];
int main(void)
{
    net_ctx c;
    const void *in[1] = {x};
    void *out[1] = {y}, *writable[1] = {x};
    unsigned before;
    void *volatile p = malloc(1);
    free(p);
    before = calls;
    if (net_init(&c, arena, sizeof arena, NULL, NET_ABI)) return 1;
    if (net_run(&c, in, out) || net_run(&c, in, out) || net_selftest(&c, writable, out)) return 2;
    printf("%u before, %u during\\n", before, calls - before);
    return 0;
}
"""


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing")
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the hook into malloc is glibc's")
def test_a_run_allocates_nothing(folder: Path, tmp_path: Path) -> None:
    for file in ("net.h", "libnet.a"):
        shutil.copy(folder / file, tmp_path)
    assert program(tmp_path, HOOKED, "libnet.a", name="hooked") == "2 before, 0 during\n"


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is missing")
def test_the_example_runs(folder: Path, tmp_path: Path) -> None:
    for file in ("net.h", "libnet.a", "main.c"):
        shutil.copy(folder / file, tmp_path)
    x = image(folder)
    x.tofile(tmp_path / "input.bin")
    for command in (
        ["gcc", "-Wall", "-Wextra", "-Werror", "main.c", "libnet.a", "-o", "demo"],
        ["./demo", "input.bin"],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    logits = np.asarray(runtime.load(folder)(x)).ravel()
    best, value = done.stdout.splitlines()[0].split()
    assert int(best) == logits.argmax()
    assert float(value) == pytest.approx(float(logits.max()), rel=1e-4)


def test_contexts_run_at_once_with_equal_results(folder: Path) -> None:
    library = runtime.load(folder)
    inputs = [image(folder, seed) for seed in range(4)]
    wanted = [np.asarray(library(x)) for x in inputs]
    assert not np.array_equal(wanted[0], wanted[1])

    def work(index: int) -> bool:
        mine = library.clone()
        return all(np.array_equal(np.asarray(mine(inputs[index])), wanted[index]) for _ in range(20))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


def test_nothing_in_the_arena_survives_a_run(folder: Path) -> None:
    """Whatever the arena holds before, even NaN, the result is the same: no step reads what none has written."""
    library, x = runtime.load(folder), image(folder)
    wanted = np.asarray(library(x)).copy()
    library.arena[:] = 0xFF
    assert np.array_equal(np.asarray(library(x)), wanted)


class Caller:
    """A C caller of ``net``."""

    def __init__(self, folder: Path) -> None:
        self.about = read(folder)
        self.functions = ctypes.CDLL(str(folder / "libnet.so.2"))
        self.context = ctypes.create_string_buffer(b"\xee" * 64, 64)
        self.arena = aligned(self.about.arena_bytes + 64, 64)
        self.x, self.y = (np.zeros(port.shape, port.dtype) for port in (*self.about.inputs, *self.about.outputs))

    def init(self, offset: int = 0, missing: int = 0, *, null: bool = False, abi: int = package.ABI) -> int:
        address = None if null else self.arena.ctypes.data + offset
        size = ctypes.c_size_t(self.about.arena_bytes - missing)
        return int(self.functions.net_init(self.context, ctypes.c_void_p(address), size, None, abi))

    def run(self, *, x: bool = True, y: bool = True, context: bool = True) -> int:
        buffers = [
            (ctypes.c_void_p * 1)(array.ctypes.data if given else None) for array, given in ((self.x, x), (self.y, y))
        ]
        return int(self.functions.net_run(self.context if context else None, *buffers))


def test_every_misuse_has_its_status(folder: Path) -> None:
    caller = Caller(folder)
    assert caller.run() == E_NOT_INITIALISED
    assert caller.init(null=True) == E_NULL_ARENA
    assert caller.init(missing=1) == E_ARENA_SIZE
    assert [caller.init(offset) for offset in (1, 4, 8, 16, 32)] == [E_ARENA_ALIGN] * 5
    assert caller.init(abi=package.ABI + 1) == E_ABI
    assert caller.run() == E_NOT_INITIALISED
    assert caller.init() == OK
    assert (caller.run(x=False), caller.run(y=False)) == (E_NULL_BUFFER, E_NULL_BUFFER)
    assert caller.run(context=False) == E_NULL_CONTEXT
    assert caller.run() == OK
    assert np.isfinite(caller.y).all() and caller.y.any()


@pytest.mark.slow  # tests/compiler/test_compile.py does this with a smaller network
def test_equal_inputs_give_equal_libraries(folder: Path, tmp_path: Path) -> None:
    again = small(tmp_path)
    for file in sorted(path.name for path in folder.iterdir()):
        assert (folder / file).read_bytes() == (again / file).read_bytes(), file


@pytest.mark.bench
@pytest.mark.parametrize("target", ["host", "cortex-a76"])
def test_a_compile_takes_at_most_30_seconds(target: str, tmp_path: Path) -> None:
    phases: list[tuple[str, float]] = []
    start = time.perf_counter()
    compile_model("mobilenet_v2", target, output=tmp_path, progress=lambda phase, part: phases.append((phase, part)))
    spent = time.perf_counter() - start
    print(f"\n{target}: {spent:.1f} s")
    assert spent <= 30
    fractions = [part for _, part in phases]
    assert fractions == sorted(fractions) and (fractions[0], fractions[-1]) == (0, 1)
