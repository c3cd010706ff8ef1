"""mnv2c profile on the smallest network: its figures, its table and page, and what it says about mistakes."""

from __future__ import annotations

import json
import platform
import re
import shutil
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import mnv2c
from mnv2c.benchmark.profile import costs, loops
from mnv2c.benchmark.profile.result import Profile
from mnv2c.cli.main import main
from mnv2c.compiler import Compiled
from mnv2c.errors import LibraryError, OutputError, UserError
from mnv2c.link.select import select_linker, static_linker
from mnv2c.runtime.description import Description
from mnv2c.runtime.emulator import FLAGS, find_qemu
from mnv2c.runtime.library import Library
from mnv2c.runtime.metadata import read
from mnv2c.spec import from_toml
from mnv2c.spec.memory import bottleneck_graph, layer_graph
from mnv2c.spec.search import minimum_peak
from mnv2c.targets import load
from tests.runtime import fake

FOREIGN = "cortex-a53" if platform.machine() == "x86_64" else "x86-64-v3"


@pytest.fixture(scope="module")
def profile(compiled: Compiled) -> Profile:
    return mnv2c.profile(compiled.directory, rounds=3, runs=5)


@pytest.fixture(scope="module")
def described(compiled: Compiled) -> Description:
    return read(compiled.directory)


def test_every_step_has_its_figures(profile: Profile, compiled: Compiled) -> None:
    figures = profile.as_dict()
    json.dumps(figures, allow_nan=False)
    assert [step["name"] for step in figures["steps"]] == [chain["name"] for chain in compiled.metadata["chains"]]
    assert sum(step["madds"] for step in figures["steps"]) == figures["madds"] == compiled.metadata["madds"]
    for step in figures["steps"]:
        assert step["median_ms"] > 0 and step["alone_ms"] > 0
        assert step["gmacs"] == pytest.approx(step["madds"] / step["median_ms"] / 1e6, rel=0.01)
        assert 0 < step["peak_share"] < 1.5  # of a peak that was measured while others used the machine
        assert step["moved_bytes"] == step["input_bytes"] + step["output_bytes"] + step["weights_bytes"]
        assert step["madds_per_byte"] == pytest.approx(step["madds"] / step["moved_bytes"], abs=1e-3)
        assert not step["fallback"]
    assert sum(step["time_share"] for step in figures["steps"]) == pytest.approx(1, abs=0.01)


def test_the_whole_is_measured_beside_its_parts(profile: Profile) -> None:
    figures = profile.as_dict()
    assert (figures["rounds"], figures["runs"], figures["threads"]) == (3, 5, 1)
    assert 0 < figures["min_ms"] <= figures["median_ms"] <= figures["p90_ms"]
    assert 0.3 < figures["sum_share"] < 3  # a busy machine is no failure; what adds up is a matter of the clock
    assert figures["sum_ms"] == pytest.approx(sum(step["median_ms"] for step in figures["steps"]), abs=1e-3)
    assert 0 < figures["peak_share"] < 1.5
    assert 0 < figures["reading_ns"] < 20_000
    assert figures["bandwidths"][-1]["name"] == "memory"
    assert figures["bandwidths"][-1]["buffer_bytes"] >= 64 << 20
    assert all(roof["gbytes_per_s"] > 0 for roof in figures["bandwidths"])


def test_every_tensor_and_all_weights_are_moved(profile: Profile, described: Description) -> None:
    """Each result is written once; what lies between the steps is read by the steps after it."""
    traffic = [step.traffic for step in profile.steps]
    assert traffic[0].inputs == described.inputs[0].bytes
    assert traffic[-1].outputs == described.outputs[0].bytes
    for before, after in pairwise(traffic):
        assert after.inputs == before.outputs
    stored = described.metadata["weights_bytes"]
    assert stored - 64 * 100 < sum(part.weights for part in traffic) <= stored


def test_live_buffers_do_not_overlap(profile: Profile) -> None:
    arena, count = profile.arena, len(profile.steps)
    # A joined chain leaves the tensor of its last one.
    made = {re.sub(r"^.*_to_(?=\d)", "bottleneck_", step.name) for step in profile.steps[:-1]}
    assert {tensor for buffer in arena.buffers for tensor in buffer.tensors} == made
    for buffer in arena.buffers:
        assert 0 <= buffer.first <= buffer.last < count
        assert 0 <= buffer.offset and buffer.offset + buffer.bytes <= arena.bytes
    for one, other in combinations(arena.buffers, 2):
        if one.first <= other.last and other.first <= one.last:
            assert one.offset + one.bytes <= other.offset or other.offset + other.bytes <= one.offset
    assert max(step.arena_bytes for step in profile.steps) == arena.alive_bytes <= arena.bytes


def test_scratch_is_that_of_the_metadata(profile: Profile, compiled: Compiled) -> None:
    for number, chain in enumerate(compiled.metadata["chains"]):
        scratch = [b for b in profile.arena.buffers if not b.tensors and b.first == number]
        assert sum(buffer.bytes for buffer in scratch) == chain["scratch_bytes"]
        assert all(buffer.name.startswith(f"{chain['name']}: ") and buffer.last == number for buffer in scratch)


def test_results_lie_in_their_buffers(described: Description) -> None:
    holders = {tensor: buffer for buffer in described.buffers or () for tensor in buffer.tensors}
    for number, step in enumerate(described.steps):
        for place in step.results:
            if place.space == "arena":
                buffer = holders[place.name]
                assert (place.offset, place.tensor.bytes) == (buffer.offset, buffer.bytes)
                assert buffer.first <= number <= buffer.last
        for name in step.reads:
            assert name in {port.name for port in described.inputs} or holders[name].last >= number


def test_the_bounds_are_those_of_the_description(profile: Profile, compiled: Compiled) -> None:
    spec = from_toml(compiled.metadata["model"]["toml"])
    bounds = profile.arena.bounds
    assert {bound.graph for bound in bounds} == {"every bottleneck one operation", "every layer one operation"}
    assert bounds[0].bytes == 4 * minimum_peak(bottleneck_graph(spec)).elements
    assert bounds[-1].bytes == 4 * minimum_peak(layer_graph(spec)).elements
    assert {number for bound in bounds for number in bound.equations} == {1, 2}


def test_without_a_description_the_bounds_are_of_the_steps(tmp_path: Path) -> None:
    """fake: 240 bytes between its steps, in place in the second; the caller's own tensors count nothing."""
    arena = costs.arena(read(fake.build(tmp_path)))
    assert {bound.graph for bound in arena.bounds} == {"every step one operation, without its scratch memory"}
    assert [(bound.equations, bound.bytes, bound.at) for bound in arena.bounds] == [((1, 2), 480, "relu6")]
    assert (arena.alive_bytes, arena.alive_at, len(arena.buffers)) == (480, "split", 2)


def test_steps_that_count_nothing_are_profiled(tmp_path: Path) -> None:
    figures = mnv2c.profile(fake.build(tmp_path), rounds=1, runs=3, html=tmp_path / "page.html").as_dict()
    assert [step["madds"] for step in figures["steps"]] == [None] * 3
    assert [step["gmacs"] for step in figures["steps"]] == [None] * 3
    assert [(step["input_bytes"], step["weights_bytes"]) for step in figures["steps"]] == [
        (240, 12),
        (240, 0),
        (240, 0),
    ]
    assert "No step of this library counts" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_table_json_and_page(compiled: Compiled, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["profile", str(compiled.directory), "--rounds", "1", "--runs", "3"]
    page = tmp_path / "profile.html"
    assert main([*words, "-q", "--html", str(page)]) == 0
    text = capsys.readouterr().out
    header, *lines = text.splitlines()
    assert header.split() == [
        "step",
        "ms",
        "of",
        "run",
        "ms",
        "alone",
        "MMAdds",
        "GMAC/s",
        "of",
        "peak",
        "moved",
        "arena",
    ]
    names = [chain["name"] for chain in compiled.metadata["chains"]]
    assert [line.split()[0] for line in lines[: len(names)]] == names
    for word in ("sum of the steps", "warm caches", "GB/s from memory", "arena", "equation (1) and (2)", str(page)):
        assert word in text
    root = ElementTree.fromstring(page.read_text(encoding="utf-8").removeprefix("<!DOCTYPE html>\n"))
    titles = [item.text or "" for item in root.iter("title")]
    for buffer in read(compiled.directory).buffers or ():
        assert any(title.startswith(f"{buffer.name}: {buffer.bytes:,} bytes") for title in titles), buffer.name
    assert list(tmp_path.iterdir()) == [page]
    assert main([*words, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    figures = json.loads(captured.out)
    assert [step["name"] for step in figures["steps"]] == names
    assert figures.keys() >= {"peak_gmacs", "bandwidths", "sum_ms", "arena", "machine"}


def test_a_library_for_another_cpu(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"compiled for \w+, but this machine is .* run `mnv2c profile` on such"):
        mnv2c.profile(fake.build(tmp_path, FOREIGN))


def test_a_library_of_an_older_compiler(compiled: Compiled, tmp_path: Path) -> None:
    """It still runs; only what a profile needs to know is missing."""
    folder = shutil.copytree(compiled.directory, tmp_path / "old", symlinks=True)
    path = folder / f"{compiled.name}.json"
    meta = json.loads(path.read_text(encoding="utf-8"))
    del meta["buffers"], meta["checked"]
    for chain in meta["chains"]:
        del chain["reads"], chain["weights_bytes"]
        for result in chain["results"]:
            del result["name"]
    fake.tell(folder, compiled.name, json.dumps(meta))
    assert mnv2c.load(folder)(np.zeros((1, 32, 32, 3), np.float32)).shape == (1, 1000)
    with pytest.raises(LibraryError, match=r"an older mnv2c left out .*; compile the model again"):
        mnv2c.profile(folder)


def test_a_damaged_description(tmp_path: Path) -> None:
    folder = fake.build(tmp_path)
    path = folder / "fake.json"
    fake.tell(folder, "fake", path.read_text(encoding="utf-8").replace('"reads": ["relu6"]', '"reads": ["relu7"]'))
    with pytest.raises(LibraryError, match=r"step split reads 'relu7', which nothing writes"):
        mnv2c.profile(folder, rounds=1, runs=3)


@pytest.mark.parametrize(("options", "message"), [({"rounds": 0}, "--rounds is 0"), ({"runs": 0}, "--runs is 0")])
def test_mistakes(options: dict[str, int], message: str, compiled: Compiled) -> None:
    with pytest.raises(UserError, match=message):
        mnv2c.profile(compiled.directory, **options)


def test_a_page_in_a_folder_that_does_not_exist(compiled: Compiled, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="its folder does not exist"):
        mnv2c.profile(compiled.directory, html=tmp_path / "nowhere" / "page.html")


def test_a_kernel_that_fails_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="a kernel reported a failure"):
        mnv2c.profile(fake.build(tmp_path, fault="KERNEL_FAILS"), rounds=1, runs=3)


def test_the_stopwatch_times_every_step(described: Description, tmp_path: Path) -> None:
    (tmp_path / "loops.so").write_bytes(loops.build(described))
    inputs = (np.zeros(described.inputs[0].shape, np.float32),)
    watch = loops.Stopwatch(tmp_path / "loops.so", Library(described), inputs)
    count = len(described.steps)
    assert len(watch.in_run()) == count
    assert [len(times) for times in watch.alone(4)] == [4] * count
    assert all(time > 0 for times in watch.alone(4) for time in times)
    quickest = [min(times) for times in zip(*(watch.in_run() for _ in range(30)), strict=True)]
    assert min(watch.whole() for _ in range(30)) > max(quickest)  # undisturbed, the whole takes longer than any part
    assert watch.peak() > 0
    assert watch.bandwidth(loops.filled(1 << 16)) > 0


def test_a_profile_leaves_no_other_results(described: Description, tmp_path: Path) -> None:
    """Steps that were repeated in place have spoilt the arena; the next run does not see it."""
    (tmp_path / "loops.so").write_bytes(loops.build(described))
    image = np.random.default_rng(0).uniform(-1, 1, described.inputs[0].shape).astype(np.float32)
    library = Library(described)
    before = library(image)
    loops.Stopwatch(tmp_path / "loops.so", library, (image,)).alone(5)
    np.testing.assert_array_equal(library(image), before)


@pytest.mark.parametrize("target", ["x86-64-v3", "x86-64-v4", "cortex-a76"])
def test_the_loops_compile_for_every_instruction_set(target: str, tmp_path: Path) -> None:
    assert loops.build(read(fake.build(tmp_path, target))).startswith(b"\x7fELF")


START = """
#include <stdint.h>
uint64_t peak_run(uint64_t), stream_run(const void *, uint64_t, uint64_t);
static unsigned char buffer[4096 + 100] __attribute__((aligned(64)));
__attribute__((noreturn)) void _start(void)
{
    register uint64_t code __asm__("x0") = 0;
    register uint64_t number __asm__("x8") = 93;
    if (peak_run(10) != 10 * 20 * 4) code = 1;
    if (stream_run(buffer, sizeof buffer, 3) != 3 * 4096) code = 2;
    if (stream_run(buffer, 100, 3) != 0) code = 3;
    __asm__ volatile("svc 0" : : "r"(code), "r"(number));
    __builtin_unreachable();
}
"""


@pytest.mark.emulated
def test_the_loops_for_neon_read_as_much_as_they_say(tmp_path: Path) -> None:
    import subprocess

    texts = {name: (loops.HERE / name).read_text(encoding="utf-8") for name in ("peak.c", "stream.c")}
    sources = {name: f"#define ISA ISA_NEON\n{text}" for name, text in texts.items()} | {"start.c": START}
    program = tmp_path / "loops"
    program.write_bytes(static_linker("aarch64").executable(sources, [], FLAGS))
    program.chmod(0o755)
    emulator = [] if platform.machine() == "aarch64" else [str(find_qemu("aarch64"))]
    assert subprocess.run([*emulator, str(program)], check=False).returncode == 0


def test_a_stream_reads_whole_blocks(described: Description, tmp_path: Path) -> None:
    import ctypes

    (tmp_path / "loops.so").write_bytes(loops.build(described))
    run = ctypes.CDLL(str(tmp_path / "loops.so")).stream_run
    run.restype = ctypes.c_uint64
    buffer = loops.filled(4096)

    def read_bytes(size: int, passes: int) -> int:
        found: int = run(ctypes.c_void_p(buffer.ctypes.data), ctypes.c_uint64(size), ctypes.c_uint64(passes))
        return found

    assert read_bytes(4096, 3) == 3 * 4096
    assert read_bytes(4095, 1) in (4095 // 128 * 128, 4095 // 256 * 256, 4095 // 512 * 512)
    assert read_bytes(64, 5) == read_bytes(4096, 0) == 0


def test_the_loops_export_only_what_they_should(described: Description) -> None:
    assert select_linker(load("host")).version  # the linker that built them
    names = loops.build(described)
    assert all(name.encode() in names for name in loops.EXPORTS)
