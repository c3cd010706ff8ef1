"""The C of the measuring program: compilers and sanitizers find nothing in it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mnv2c import __version__, targets
from mnv2c.common.data import fill
from mnv2c.link.select import static_linker
from mnv2c.plan.assemble import pool_bytes
from mnv2c.runtime import emulator
from mnv2c.tune.devices.answers import read_answers
from mnv2c.tune.devices.base import Form
from mnv2c.tune.measure import program
from mnv2c.tune.measure.sample import expected_of
from mnv2c.tune.measure.table import subject_files
from mnv2c.tune.space.task import Status
from tests.tune import handmade

GCC = shutil.which("gcc")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1")
STRICT = ("-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Werror")
NAMES = ["equal", "strips", "phases", "in_place", "wrong", "overrun", "hang", "exit"]
STATUSES = [Status.OK] * 4 + [Status.WRONG, Status.WRONG, Status.HUNG, Status.CRASHED]


@pytest.mark.parametrize("arch", ["x86_64", "aarch64", pytest.param("arm", marks=pytest.mark.slow)])
def test_zig_finds_nothing_to_warn_about(arch: str) -> None:
    sources = {path.name: path.read_bytes() for path in (*program.SYSTEM, *program.HERE.iterdir())}
    for shared in ((), ("-DSHARED",)):
        used = {name: text for name, text in sources.items() if name != ("program.c" if shared else "rpc.c")}
        assert static_linker(arch).build(used, (*program.COMPILE, *STRICT, *shared, "-DTHREADS", "-r"), "all.o")


@pytest.mark.skipif(GCC is None, reason="gcc is missing")
def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    host = targets.load("host")
    made = handmade.candidates(["default", *NAMES], host)
    files = subject_files(handmade.CHAIN, host, 2, made, expected_of(handmade.CHAIN))
    files |= {
        path.name: path.read_bytes() for path in (*program.SYSTEM, *program.HERE.iterdir()) if path.name != "rpc.c"
    }
    files["kernels.c"] = handmade.source(["default", *NAMES]).encode()
    files["hosted.c"] = (Path(__file__).parent / "hosted.c").read_bytes()
    values = {"name": "measure", "version": __version__, "threads": 2, "pool_bytes": pool_bytes(2)}
    files["pool.c"] = fill(program.POOL, **values, pthread='#include "threads.h"\n#undef HIDDEN').encode()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    inputs = [name for name in files if name.endswith((".c", ".S"))]
    # The kernels write where they should not, which is what the program itself has to find.
    subprocess.run([str(GCC), "-O1", "-c", "kernels.c", "-o", "kernels.o"], cwd=tmp_path, check=True)
    inputs[inputs.index("kernels.c")] = "kernels.o"
    flags = ("-DHOSTED", "-DTHREADS", *SANITIZERS)
    built = subprocess.run(
        [str(GCC), *flags, *inputs, "-o", "measure"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    numbers = range(1, len(NAMES) + 1)
    for words in (["2", "0", *map(str, numbers)], ["count", "3"], ["1", "0", "99"], ["x"]):
        done = subprocess.run(["./measure", *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert "ERROR" not in done.stderr and "runtime error" not in done.stderr, done.stderr[:3000]
        if words[0] == "2":
            assert [found.status for found in read_answers(done.stdout, numbers)] == STATUSES, done.stdout


@pytest.mark.skipif(GCC is None, reason="gcc is missing")
def test_rounds_take_turns_and_the_worse_state_counts(tmp_path: Path) -> None:
    """Weights in memory and in a cache alternate, and so does who comes first; the larger median is the ratio."""
    sources = [Path(__file__).parent / "rounds_fakes.c", program.HERE / "rounds.c"]
    shared = [program.HERE, *{path.parent for path in program.SYSTEM}]
    command = [str(GCC), *STRICT, *(f"-I{folder}" for folder in shared), *map(str, sources), "-o", "rounds"]
    subprocess.run(command, cwd=tmp_path, check=True)
    done = subprocess.run(["./rounds"], cwd=tmp_path, capture_output=True, text=True, check=True)
    order, rounds, *numbers = done.stdout.split()
    ratio, spread, default, cost, *states = map(float, numbers)
    assert order == "ABabBAbaABabBAba", "upper case: from memory; A: the default"
    assert int(rounds) % 2 == 0
    memory, cache = states[:2], states[2:]
    assert (memory[0], cache[0]) == (10, 8)
    assert memory[1] == pytest.approx(0.9 * 1.02, rel=1e-3) and cache[1] == pytest.approx(1.05 * 1.01, rel=1e-3)
    assert ratio == max(memory[1], cache[1])
    assert 0 < spread < 1.05 * 0.02 + 1e-6, "of that state's ratios"
    assert default == pytest.approx(9) and cost == pytest.approx(9 * ratio, rel=1e-5)


@pytest.mark.parametrize(
    "target",
    ["host", *(pytest.param(name, marks=pytest.mark.emulated) for name in ("cortex-a76", "cortex-a7"))],
)
def test_flushing_weights_is_no_fault_on_any_architecture(target: str, tmp_path: Path) -> None:
    """Programs may flush caches on all of them, or do not try to."""
    chosen = targets.load(target)
    qemu = None if target == "host" else emulator.find_qemu(chosen.arch)
    if target != "host" and qemu is None:
        pytest.skip("qemu is missing")
    weights = (bytes(range(200)), bytes(5000))
    made = [replace(one, weights=weights) for one in handmade.candidates(["default", "equal"], chosen)]
    content = program.link(handmade.CHAIN, chosen, 1, made, expected_of(handmade.CHAIN), Form.EXECUTABLE)
    path = tmp_path / "measure"
    path.write_bytes(content)
    path.chmod(0o755)
    command = [qemu, str(path)] if qemu else [str(path)]
    done = subprocess.run([*command, "1", "-1", "1"], capture_output=True, text=True, check=False)
    (found,) = read_answers(done.stdout, [1])
    assert found.status == Status.OK, done
