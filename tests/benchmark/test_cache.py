"""The cache model in C against one in Python."""

import ctypes

import numpy as np
import pytest

from mnv2c import targets
from mnv2c.benchmark.plugin import HERE
from mnv2c.link import select_linker

PROGRAM = """
#include "cache.h"
uint64_t misses(uint64_t *storage, uint64_t sets, uint64_t ways, const uint64_t *lines, uint64_t count);
__attribute__((visibility("default")))
uint64_t misses(uint64_t *storage, uint64_t sets, uint64_t ways, const uint64_t *lines, uint64_t count)
{
    cache level = {storage, sets, ways};
    uint64_t found = 0, i;
    for (i = 0; i < count; ++i) found += !cache_access(&level, lines[i]);
    return found;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    sources = {"test.c": PROGRAM, "cache.h": (HERE / "cache.h").read_text(encoding="utf-8")}
    linked = select_linker(targets.load("host")).link(
        "cache", sources=sources, objects={}, blobs={}, exports=["misses"], abi=1
    )
    path = tmp_path_factory.mktemp("cache") / "libcache.so"
    path.write_bytes(linked.shared)
    return ctypes.CDLL(str(path))


def in_c(library: ctypes.CDLL, lines: np.ndarray, sets: int, ways: int) -> int:
    storage = np.zeros(sets * ways, np.uint64)
    function = library.misses
    function.restype = ctypes.c_uint64
    trace = lines.astype(np.uint64)
    numbers = [ctypes.c_uint64(value) for value in (sets, ways)]
    return function(
        ctypes.c_void_p(storage.ctypes.data), *numbers, ctypes.c_void_p(trace.ctypes.data), ctypes.c_uint64(trace.size)
    )


def in_python(lines: np.ndarray, sets: int, ways: int) -> int:
    """The definition: per set a list, the latest line first, at most ``ways`` long."""
    content: dict[int, list[int]] = {}
    misses = 0
    for line in lines.tolist():
        held = content.setdefault(line % sets, [])
        if line in held:
            held.remove(line)
        else:
            misses += 1
        held.insert(0, line)
        del held[ways:]
    return misses


@pytest.mark.parametrize(("sets", "ways"), [(1, 1), (1, 4), (16, 1), (8, 4), (6, 3), (64, 8)])
@pytest.mark.parametrize("reach", [4, 40, 4000])
def test_random_traces(library: ctypes.CDLL, sets: int, ways: int, reach: int) -> None:
    lines = np.random.default_rng(sets * ways).integers(0, reach, 3000)
    assert in_c(library, lines, sets, ways) == in_python(lines, sets, ways)


def test_what_fits_misses_once(library: ctypes.CDLL) -> None:
    assert in_c(library, np.tile(np.arange(64), 5), 16, 4) == 64


def test_a_loop_one_line_too_long_misses_always(library: ctypes.CDLL) -> None:
    assert in_c(library, np.tile(np.arange(5) * 16, 10), 16, 4) == 50


def test_the_first_line_of_memory_is_not_there_at_first(library: ctypes.CDLL) -> None:
    assert in_c(library, np.zeros(3), 4, 2) == 1
