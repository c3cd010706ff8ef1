"""Libraries from Python."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnv2c import package, runtime
from mnv2c.cli.main import main
from mnv2c.errors import LibraryError
from mnv2c.runtime import Library
from tests.runtime import fake

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake.build(tmp_path_factory.mktemp("fake"))


@pytest.fixture
def library(folder: Path) -> Library:
    return runtime.load(folder)


def test_it_computes(library: Library) -> None:
    for seed in range(3):
        x = fake.random_input(seed)
        outputs = library(x)
        assert isinstance(outputs, tuple)
        for found, wanted in zip(outputs, fake.reference(x), strict=True):
            assert found.dtype == np.float32
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_results_of_earlier_calls_stay(library: Library) -> None:
    first = library(fake.random_input(1))
    kept = [output.copy() for output in first]
    library(fake.random_input(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, kept, strict=True))


def test_the_arena_is_exact_and_aligned(library: Library) -> None:
    assert library.arena.nbytes == fake.ARENA_BYTES
    assert library.arena.ctypes.data % 64 == 0
    assert library.metadata["name"] == "fake"
    assert library.step_names() == ("scale", "relu6", "split")


def test_trace_gives_every_result_as_it_was_then(library: Library) -> None:
    x = fake.random_input()
    mean, doubled = fake.reference(x)
    steps = list(library.trace(x))
    assert [(item.step, item.name, item.onnx, item.onnx_layout) for item in steps] == [
        (0, "scale", "scaled", "NCHW"),
        (1, "relu6", "clipped", "NCHW"),
        (2, "split", "mean", "same"),
        (2, "split", "doubled", "NCHW"),
    ]
    for item, wanted in zip(steps, (x * fake.SCALES, doubled / 2, mean, doubled), strict=True):
        np.testing.assert_allclose(item.value, wanted, rtol=1e-5, atol=1e-6)


def test_steps_in_order_make_up_a_run(library: Library) -> None:
    x = fake.random_input()
    outputs = library.outputs()
    library.run_steps((x,), outputs, 0, 2)
    library.run_steps((x,), outputs, 2, 100)
    for found, wanted in zip(outputs, library(x), strict=True):
        assert np.array_equal(found, wanted)


def test_a_bound_call_runs_on_the_same_arrays(library: Library) -> None:
    x, outputs = fake.random_input(1), library.outputs()
    run = library.bind((x,), outputs)
    for seed in (1, 2):
        x[...] = fake.random_input(seed)
        run()
        for found, wanted in zip(outputs, library(x), strict=True):
            assert np.array_equal(found, wanted)
    with pytest.raises(LibraryError):
        library.bind((x[:, 1:],), outputs)


def test_the_self_test(library: Library, tmp_path: Path) -> None:
    library.selftest()
    with pytest.raises(LibraryError, match="fake: the self-test computed other values than the reference"):
        runtime.load(fake.build(tmp_path, fault="WRONG_VALUES")).selftest()


def test_a_kernel_that_fails(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="fake: a kernel reported a failure"):
        runtime.load(fake.build(tmp_path, fault="KERNEL_FAILS"))(fake.random_input())


@pytest.mark.parametrize("shared", [False, True])
def test_threads(library: Library, shared: bool) -> None:
    """Contexts of their own run at once; a shared one takes turns. Both give the results of one thread."""
    inputs = [fake.random_input(seed) for seed in range(8)]
    wanted = [library(x) for x in inputs]

    def work(index: int) -> bool:
        mine = library if shared else library.clone()
        return all(
            np.array_equal(a, b) for _ in range(200) for a, b in zip(mine(inputs[index]), wanted[index], strict=True)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_unfit_inputs(library: Library) -> None:
    x = fake.random_input()
    with pytest.raises(LibraryError, match=r"takes 1 input\(s\), not 2"):
        library(x, x)
    with pytest.raises(LibraryError, match="must be a numpy array, not list"):
        library(x.tolist())
    with pytest.raises(LibraryError, match=r"input: must be float32, not float64; use x.astype\(np.float32\)"):
        library(x.astype(np.float64))
    with pytest.raises(LibraryError, match=r"must have the shape \[1, 4, 5, 3\], not \[1, 3, 4, 5\]"):
        library(x.transpose(0, 3, 1, 2))
    with pytest.raises(LibraryError, match=r"must be contiguous; use np\.ascontiguousarray"):
        library(np.zeros((1, 4, 5, 6), np.float32)[..., ::2])


def test_other_numbers_of_threads_are_refused(folder: Path) -> None:
    with pytest.raises(LibraryError, match=r"compiled for at most 1 thread\(s\), not 4"):
        runtime.load(folder, threads=4)


def test_what_is_no_library(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="no such folder"):
        runtime.load(tmp_path / "absent")
    with pytest.raises(LibraryError, match="holds no compiled library"):
        runtime.load(tmp_path)
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(LibraryError, match="holds no compiled library"):
        runtime.load(tmp_path)
    shutil.copy(folder / "fake.json", tmp_path)
    with pytest.raises(LibraryError, match=r"libfake\.so\.2: missing"):
        runtime.load(tmp_path)
    for content in (b"", b"no library"):
        (tmp_path / "libfake.so.2").write_bytes(content)
        with pytest.raises(LibraryError, match=r"fake\.json: was changed, or is not that of libfake\.so\.2"):
            runtime.load(tmp_path)
    (tmp_path / "libfake.so.2").write_bytes((folder / "fake.json").read_bytes() + b"\0")
    with pytest.raises(LibraryError, match=r"libfake\.so\.2: cannot be loaded"):
        runtime.load(tmp_path)
    shutil.copy(folder / "fake.json", tmp_path / "second.json")
    with pytest.raises(LibraryError, match=r"several libraries; give one of fake.json, second.json"):
        runtime.load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "mnv2c-library-99"}, "this mnv2c reads"),
        ({"inputs": 3}, "not the description of a library"),
        ({"chains": None}, "not the description of a library"),
        ({"files": {"shared": "libfake.so.2"}}, r"libfake\.so\.2: missing"),
    ],
)
def test_damaged_descriptions(folder: Path, tmp_path: Path, change: dict[str, object], message: str) -> None:
    meta = json.loads((folder / "fake.json").read_text())
    path = tmp_path / "fake.json"
    path.write_text(json.dumps({**meta, **change}))
    with pytest.raises(LibraryError, match=message):
        runtime.load(path)
    path.write_text('{"schema": "mnv2c-library-1", ')
    with pytest.raises(LibraryError, match="cannot be read"):
        runtime.load(path)


def changed(meta: Any, path: tuple[str | int, ...], value: object) -> Any:
    """A copy of the metadata with another value at a place."""
    copy = json.loads(json.dumps(meta))
    here = copy
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("inputs", 0, "dtype"), "float64"),
        (("outputs", 0, "shape"), [1, 300]),
        (("arena_bytes",), 64),
        (("abi",), 3),
        (("summary",), "another"),
    ],
)
def test_a_changed_description_is_refused_before_anything_is_loaded(
    path: tuple[str | int, ...], value: object, folder: Path, tmp_path: Path
) -> None:
    mine = shutil.copytree(folder, tmp_path / "mine", symlinks=True)
    meta = json.loads((folder / "fake.json").read_text())
    (mine / "fake.json").write_text(package.to_json(changed(meta, path, value)))
    with pytest.raises(LibraryError, match=r"fake\.json: (was changed|not the description of a library)"):
        runtime.load(mine)
    for verb in ("verify", "run"):
        assert main([verb, str(mine), *(["x.png"] if verb == "run" else [])]) == 2


def test_a_description_that_only_lies_in_the_file_of_the_library_is_refused(folder: Path, tmp_path: Path) -> None:
    mine = shutil.copytree(folder, tmp_path / "mine", symlinks=True)
    text = (mine / "fake.json").read_text().replace("three steps", "other steps")
    (mine / "fake.json").write_text(text)
    (mine / "libfake.a").unlink()
    with (mine / "libfake.so.2").open("ab") as file:
        file.write(text.encode() + b"\0")
    with pytest.raises(LibraryError, match=r"fake\.json: is not what libfake\.so\.2 says of itself"):
        runtime.load(mine)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("name",), "../../fake", "name is '../../fake'"),
        (("name",), "other", "name is 'other', but the file is called fake.json"),
        (("files", "shared"), "../libfake.so.2", "files: the shared library of fake cannot be another file"),
        (("arena_bytes",), 1 << 70, "arena_bytes is 1180591620717411303424"),
        (("arena_bytes",), -1, "arena_bytes is -1"),
        (("arena_bytes",), True, "arena_bytes is True"),
        (("arena_bytes",), 1e9, "arena_bytes is 1000000000.0"),
        (("arena_alignment",), 3, "arena_alignment is 3 and no power of two"),
        (("threads",), 1 << 20, "threads is 1048576"),
        (("inputs", 0, "shape"), [1 << 30, 1 << 30], "shape is .*more than fits a memory"),
        (("inputs", 0, "shape"), [1, -4, 5, 3], "shape is -4"),
        (("inputs", 0, "shape"), [0, 4, 5, 3], "shape is 0"),
        (("inputs", 0, "shape"), "1453", "shape is '1453' and no list"),
        (("inputs", 0, "dtype"), "object", "dtype is 'object'; there are bool"),
        (("inputs", 0, "dtype"), "f" * 1000, "dtype is 'f{30}"),
        (("inputs", 0), [], r"inputs is \[\] and no object"),
        (("chains", 0, "results", 0, "offset"), 400, "results: one lies outside of arena 0"),
        (("chains", 0, "results", 0, "index"), 1, "results: one lies outside of arena 1"),
        (("chains", 0, "results", 0, "space"), "weights", "space is 'weights'"),
        (("chains", 1, "results", 1, "index"), 9, "results: one lies outside of output 9"),
        (("chains", 0, "step"), 7, "step: the numbers of the steps have gaps"),
        (("buffers", 0, "bytes"), 1000, "buffers: one ends"),
        (("buffers", 0, "last"), 9, "buffers: one is in use from step 0 to 9"),
        (("target",), None, "target is None and no object"),
        (("target", "arch"), "../x", "arch is '../x'"),
        (("target", "emulator_cpu"), "-plugin", "emulator_cpu is '-plugin'"),
        (("variants",), [{"target": {"name": '"; exit'}}], "name is '\"; exit'"),
        (("functions",), ["x; } global: *"], "functions is"),
        (("frames",), {"answer": "boxes", "workspace_bytes": 1 << 60}, "workspace_bytes is"),
        (("labels",), [1], "labels is 1"),
    ],
)
def test_impossible_descriptions(
    path: tuple[str | int, ...], value: object, message: str, folder: Path, tmp_path: Path
) -> None:
    """They are refused for themselves, even where no library contradicts them."""
    meta = json.loads((folder / "fake.json").read_text())
    (tmp_path / "fake.json").write_text(json.dumps(changed(meta, path, value)))
    with pytest.raises(LibraryError, match=rf"fake\.json: not the description of a library: {message}"):
        runtime.load(tmp_path)


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"schema": "mnv2c-library-1"' + b"\xff", b"1" * 10_000, b"null", b"\0", b""]
)
def test_text_that_is_no_description(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "fake.json").write_bytes(content)
    with pytest.raises(LibraryError, match=r"fake\.json: (cannot be read as a NAME\.json|not the description)"):
        runtime.load(tmp_path / "fake.json")


def test_a_library_for_another_cpu(tmp_path: Path) -> None:
    foreign = "cortex-a53" if fake.targets.load("host").arch == "x86_64" else "x86-64-v3"
    with pytest.raises(LibraryError, match=r"compiled for \w+, but this machine is \w+"):
        runtime.load(fake.build(tmp_path, foreign))


def test_several_libraries_in_one_folder(tmp_path: Path) -> None:
    fake.build(tmp_path)
    fake.build(tmp_path, name="second")
    x = fake.random_input()
    for name in ("fake", "second"):
        assert np.array_equal(runtime.load(tmp_path / f"{name}.json")(x)[1], runtime.load(tmp_path / "fake.json")(x)[1])


def test_running_needs_only_numpy(folder: Path) -> None:
    code = f"""if 1:
        import sys, numpy as np, mnv2c.runtime
        lib = mnv2c.runtime.load({str(folder)!r})
        lib(np.zeros({fake.SHAPE}, np.float32))
        foreign = {{name.split(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names)
        print(sorted(name for name in foreign if not name.startswith("_") and name.isidentifier()))
    """
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "['mnv2c', 'numpy']"


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "x" * 5000])
def test_names_that_no_folder_can_have(name: str) -> None:
    with pytest.raises(LibraryError, match="no such folder"):
        runtime.load(name)
