"""The builder: what it emits for the degenerate cases, and that nothing it allocates needs a run-time library."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from mnv2c import targets
from mnv2c.codegen.object import build_object
from mnv2c.kernels.ir import KernelBuilder, both, constant, modulo, outside
from tests.kernels import native


@pytest.mark.parametrize(("extent", "start"), [(0, 0), (1, 0), (1, 5), (2, 0), (7, 3)])
def test_a_loop_visits_its_range(extent: int, start: int, tmp_path: Path) -> None:
    k = KernelBuilder("visit")
    out = k.parameter("out", 16, "float32")
    with k.loop(extent, "index", start) as index:
        assert isinstance(index, int) == (extent == 1)
        k.store(out, index, k.load(out, index) + constant(1.0, "float32"))
    function = k.finish()
    assert ("for " in function.script()) == (extent > 1)
    values = np.zeros(16, np.float32)
    assert native.load({"visit": function}, tmp_path).visit(ctypes.c_void_p(values.ctypes.data)) == 0
    wanted = np.zeros(16, np.float32)
    wanted[start : start + extent] = 1
    assert np.array_equal(values, wanted)


def test_conditions_known_while_building_leave_no_branch(tmp_path: Path) -> None:
    k = KernelBuilder("decide")
    out = k.parameter("out", 4, "int32")
    for index, condition in enumerate((True, False)):
        with k.when(condition):
            k.store(out, index, constant(1, "int32"))
    assert "if " not in k.finish().script()
    with k.loop(3, "index") as index, k.when(index >= 2), k.when(both(True, index < 9)):
        k.store(out, index, constant(7, "int32"))
    function = k.finish()
    assert function.script().count("if ") == 2
    values = np.zeros(4, np.int32)
    native.load({"decide": function}, tmp_path).decide(ctypes.c_void_p(values.ctypes.data))
    assert values.tolist() == [1, 0, 7, 0]


def test_an_empty_body_emits_nothing() -> None:
    k = KernelBuilder("empty")
    k.parameter("out", 1, "float32")
    with k.loop(8, "index") as index, k.when(index > 3):
        pass
    assert "for " not in k.finish().script()


def test_ints_stay_ints() -> None:
    k = KernelBuilder("ints")
    assert k.bind(3) == 3
    assert (modulo(-1, 4), modulo(9, 4)) == (3, 1)
    assert (outside(-1, 4), outside(0, 4), outside(3, 4), outside(4, 4)) == (True, False, False, True)
    assert [both(a, b) for a in (True, False) for b in (True, False)] == [True, False, False, False]


def test_modulo_is_never_negative(tmp_path: Path) -> None:
    k = KernelBuilder("rings")
    out = k.parameter("out", 12, "int32")
    with k.loop(12, "index") as index:
        k.store(out, index, modulo(index - 7, 5))
    values = np.zeros(12, np.int32)
    native.load({"rings": k.finish()}, tmp_path).rings(ctypes.c_void_p(values.ctypes.data))
    assert values.tolist() == [(index - 7) % 5 for index in range(12)]


@pytest.mark.parametrize("target", ["host", "x86-64-v3", "x86-64-v4", "cortex-a53", "cortex-a76"])
def test_registers_need_no_workspace(target: str) -> None:
    """Also where there are more of them than the CPU has: they go to the stack, not to the heap."""
    k = KernelBuilder("spill")
    source, out = (k.parameter(name, 64, "float32") for name in ("source", "out"))
    registers = [k.register("float32", 16) for _ in range(48)]
    for register in registers:
        register.set(k.load(source, 0, 16))
    with k.loop(1000, "index") as index:
        for register in registers:
            register.set(
                k.fma(register.get(), k.load(source, modulo(index, 3) * 16, 16), register.get(), "float32", 16)
            )
    for register in registers:
        k.store(out, 0, k.load(out, 0, 16) + register.get(), 16)
    content = build_object({"spill": k.finish()}, targets.load(target)).content
    assert native.undefined(content) <= {"memcpy", "memset"}


def test_lanes_and_broadcasts(tmp_path: Path) -> None:
    k = KernelBuilder("shuffle")
    source, out = (k.parameter(name, 16, "float32") for name in ("source", "out"))
    vector = k.bind(k.load(source, 1, 4))
    for lane in range(3):
        k.store(out, lane * 4, k.lane(vector, lane, 4), 4)
    k.store(out, 12, k.broadcast(k.load(source, 9), 4), 4)
    values, found = np.arange(16, dtype=np.float32), np.zeros(16, np.float32)
    library = native.load({"shuffle": k.finish()}, tmp_path)
    library.shuffle(ctypes.c_void_p(values.ctypes.data), ctypes.c_void_p(found.ctypes.data))
    assert found.tolist() == [1] * 4 + [2] * 4 + [3] * 4 + [9] * 4
