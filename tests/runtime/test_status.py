"""Every status of the C interface, reached through ctypes."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnv2c.package import ABI
from mnv2c.runtime.frames import aligned
from tests.runtime import fake

(OK, E_ABI, E_CPU, E_NULL_CONTEXT, E_NULL_ARENA, E_ARENA_SIZE, E_ARENA_ALIGN, E_NULL_BUFFER, E_NOT_INITIALISED,
 E_THREADS, E_KERNEL, E_SELFTEST) = range(12)  # fmt: skip


class Threads(ctypes.Structure):
    """``NAME_threads``."""

    _fields_ = (("pool", ctypes.c_void_p), ("count", ctypes.c_uint), ("parallel_for", ctypes.c_void_p))


class Caller:
    """A C caller with a context, an arena and buffers, any of which a test may spoil."""

    def __init__(self, folder: Path) -> None:
        self.functions = ctypes.CDLL(str(folder / "libfake.so.2"))
        self.context = ctypes.create_string_buffer(b"\xee" * 64, 64)
        self.arena = aligned(fake.ARENA_BYTES + 64, 64)
        self.arrays = [np.zeros(fake.SHAPE, np.float32), np.zeros((1, 3), np.float32), np.zeros(fake.SHAPE, np.float32)]
        self.inputs = self.pointers(self.arrays[:1])
        self.outputs = self.pointers(self.arrays[1:])

    @staticmethod
    def pointers(arrays: list[Any]) -> Any:
        return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))

    def init(self, *, context: Any = ..., arena: int | None = ..., size: int = fake.ARENA_BYTES,
             threads: Any = None, abi: int = ABI) -> int:  # fmt: skip
        where = self.arena.ctypes.data if arena is ... else arena
        return int(
            self.functions.fake_init(
                self.context if context is ... else context, ctypes.c_void_p(where), ctypes.c_size_t(size), threads, abi
            )
        )

    def run(self) -> int:
        return int(self.functions.fake_run(self.context, self.inputs, self.outputs))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake.build(tmp_path_factory.mktemp("fake"))


@pytest.fixture
def caller(folder: Path) -> Caller:
    return Caller(folder)


def test_success(caller: Caller) -> None:
    caller.arrays[0][:] = fake.random_input()
    assert (caller.init(), caller.run()) == (OK, OK)
    for found, wanted in zip(caller.arrays[1:], fake.reference(caller.arrays[0]), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("status", "spoilt"),
    [
        (E_ABI, {"abi": ABI + 1}),
        (E_ABI, {"abi": 0}),
        (E_NULL_CONTEXT, {"context": None}),
        (E_NULL_ARENA, {"arena": None}),
        (E_ARENA_SIZE, {"size": fake.ARENA_BYTES - 1}),
        (E_ARENA_SIZE, {"size": 0}),
        (E_THREADS, {"threads": ctypes.byref(Threads(None, 2, None))}),
        (E_THREADS, {"threads": ctypes.byref(Threads(None, 0, None))}),
        (OK, {"threads": ctypes.byref(Threads(None, 1, None))}),
        (OK, {"size": fake.ARENA_BYTES + 5}),
    ],
)
def test_init(caller: Caller, status: int, spoilt: dict[str, Any]) -> None:
    assert caller.init(**spoilt) == status
    assert caller.run() == (OK if status == OK else E_NOT_INITIALISED)


@pytest.mark.parametrize("offset", [1, 4, 16, 32, 63])
def test_misaligned_arena(caller: Caller, offset: int) -> None:
    assert caller.init(arena=caller.arena.ctypes.data + offset) == E_ARENA_ALIGN


def test_a_context_that_was_not_initialised(caller: Caller) -> None:
    assert caller.run() == E_NOT_INITIALISED
    ctypes.memset(caller.context, 0, 64)
    assert caller.run() == E_NOT_INITIALISED
    assert caller.functions.fake_selftest(caller.context, caller.inputs, caller.outputs) == E_NOT_INITIALISED


def test_a_failed_init_ends_an_earlier_one(caller: Caller) -> None:
    assert (caller.init(), caller.init(arena=None), caller.run()) == (OK, E_NULL_ARENA, E_NOT_INITIALISED)


def test_null_buffers(caller: Caller) -> None:
    assert caller.init() == OK
    whole = [(caller.inputs, caller.outputs)]
    null = [(None, caller.outputs), (caller.inputs, None)]
    null += [((ctypes.c_void_p * 1)(None), caller.outputs)]
    null += [(caller.inputs, (ctypes.c_void_p * 2)(caller.arrays[1].ctypes.data, None))]
    for status, cases in ((OK, whole), (E_NULL_BUFFER, null)):
        for inputs, outputs in cases:
            assert caller.functions.fake_run(caller.context, inputs, outputs) == status
            assert caller.functions.fake_run_steps(caller.context, inputs, outputs, 0, 1) == status
            assert caller.functions.fake_selftest(caller.context, inputs, outputs) == status
    assert caller.functions.fake_run(None, caller.inputs, caller.outputs) == E_NULL_CONTEXT


@pytest.mark.parametrize(("fault", "status"), [("KERNEL_FAILS", E_KERNEL), ("WRONG_VALUES", E_SELFTEST)])
def test_faulty_kernels(fault: str, status: int, tmp_path: Path) -> None:
    caller = Caller(fake.build(tmp_path, fault=fault))
    assert caller.init() == OK
    assert caller.run() == (E_KERNEL if status == E_KERNEL else OK)
    assert caller.functions.fake_selftest(caller.context, caller.inputs, caller.outputs) == status


def test_every_status_has_a_text_of_its_own(caller: Caller) -> None:
    caller.functions.fake_strerror.restype = ctypes.c_char_p
    texts = [caller.functions.fake_strerror(status) for status in range(20)]
    assert len(set(texts)) == 20
    assert texts[OK] == b"success"
    assert texts[19] == caller.functions.fake_strerror(-1) == b"unknown status"


def test_the_facts_of_the_library(caller: Caller) -> None:
    functions = caller.functions
    functions.fake_arena_bytes.restype = functions.fake_arena_align.restype = ctypes.c_size_t
    functions.fake_metadata.restype = functions.fake_version.restype = functions.fake_step_name.restype = (
        ctypes.c_char_p
    )
    assert functions.fake_arena_bytes(1) == fake.ARENA_BYTES
    assert functions.fake_arena_bytes(0) == functions.fake_arena_bytes(2) == 0
    assert functions.fake_arena_align() == 64
    assert functions.fake_abi() == ABI
    assert [functions.fake_step_name(step) for step in range(4)] == [b"scale", b"relu6", b"split", None]


def test_the_built_in_metadata_is_the_file(folder: Path, caller: Caller) -> None:
    caller.functions.fake_metadata.restype = ctypes.c_char_p
    assert caller.functions.fake_metadata() == (folder / "fake.json").read_bytes()
