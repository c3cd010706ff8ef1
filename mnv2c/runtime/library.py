"""A compiled library as a Python callable, through ctypes."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnv2c.errors import CannotRunError, LibraryError
from mnv2c.runtime.belonging import own_text
from mnv2c.runtime.description import Description, Place, StepResult
from mnv2c.runtime.frame import Answer, CClass, CDetection, Frame, to_c
from mnv2c.runtime.frames import FrameFunctions, aligned, pointer
from mnv2c.runtime.metadata import read

if TYPE_CHECKING:
    from numpy.typing import NDArray

Arrays = tuple["NDArray[Any]", ...]

CONTEXT = ctypes.c_size_t * 8
"""``NAME_ctx``: eight words."""

OK, E_CPU = 0, 2
"""Values of ``NAME_status`` that are treated apart."""


@dataclass(frozen=True)
class StepCall:
    """What C needs to call ``NAME_run_steps``: the addresses of function, context, input and output pointers.

    ``keep`` holds what lies there.
    """

    addresses: tuple[int, int, int, int]
    keep: tuple[object, ...]


def load(directory: str | Path, threads: int = 1, variant: str | None = None) -> Library:
    """Load the library that ``mnv2c compile`` wrote into ``directory``; LibraryError if it cannot run here.

    Up to as many ``threads`` as it was compiled for share the work of a run. One with kernels for several CPUs chooses
    itself, unless a ``variant`` is named. Only numpy is needed.
    """
    description = read(directory)
    return Library(description if variant is None else description.of(variant), threads)


OPTIONS = {"classes": {"top"}, "boxes": {"score", "overlap"}, "mask": set[str]()}
"""What can be asked of an answer, by its kind."""


class Library:
    """A network with a context and an arena of its own: ``library(x)`` runs it.

    ``description`` is that of the variant which runs, where there are several.
    Calls from several threads are safe but wait for each other; give every thread a ``clone()`` to run at once.
    """

    def __init__(self, description: Description, threads: int = 1, *, functions: ctypes.CDLL | None = None) -> None:
        """Load the shared library (or share ``functions``) and initialise a context; LibraryError on failure."""
        if not 1 <= threads <= description.threads:
            remedy = f"compile it with --threads {threads}" if threads > 0 else "give at least 1"
            raise LibraryError(
                f"{description.name}: compiled for at most {description.threads} thread(s), not {threads}; {remedy}"
            )
        self.description, self.threads = description, threads
        self.metadata = dict(description.metadata)
        self._functions = functions or _open(description)
        self._context = CONTEXT()
        self.arena = self._new_arena()
        self._lock = threading.Lock()
        self._check(
            self._function("init")(
                self._context,
                pointer(self.arena),
                ctypes.c_size_t(self.arena.nbytes),
                ctypes.byref(self._sharing()),
                description.abi,
            )
        )
        # The threads use the arena: they must have ended before it goes, also where the variant is refused below.
        weakref.finalize(self, _end, self._function("deinit"), self._context, self.arena, os.getpid())
        if description.variants:
            self._take_variant()

    def __call__(self, *inputs: NDArray[Any]) -> NDArray[Any] | Arrays:
        """Run once. Inputs are arrays of the library's dtype and NHWC shape; one array or a tuple comes back."""
        outputs = self.outputs()
        self.run_into(inputs, outputs)
        return outputs[0] if len(outputs) == 1 else outputs

    def run_into(self, inputs: Arrays, outputs: Arrays) -> None:
        """Run once, into arrays that are there already, such as those of `outputs`."""
        self.description.checked(inputs)
        with self._lock:
            self._check(self._function("run")(self._context, _pointers(inputs), _pointers(outputs)))

    def run_frame(self, frame: Frame | NDArray[np.uint8], **how: Any) -> Answer:
        """One call from a frame to its answer: the classes, detections or mask that NAME_run_frame gives.

        An array is uint8 [height, width, 3] in RGB. ``how`` is ``top``, the most classes (5), or for detections
        ``score`` and ``overlap``, the limits instead of those of training. LibraryError for a frame that is refused.
        """
        frame = frame if isinstance(frame, Frame) else Frame.of(frame)
        kind = self.frames.kind
        run = self.frames.function("run_frame")
        if unknown := how.keys() - OPTIONS[str(kind)]:
            raise LibraryError(f"{self.description.name}: its answers are {kind}; leave {', '.join(unknown)} out")
        memory = aligned(int(self.description.metadata["frames"]["workspace_bytes"]), 64)
        place = pointer(memory), ctypes.c_size_t(memory.nbytes)
        start, count = (self._context, ctypes.byref(to_c(frame))), ctypes.c_uint()
        if kind == "mask":
            mask = np.empty((frame.height, frame.width), np.uint8)
            self._locked(run, *start, *place, pointer(mask), ctypes.c_size_t(frame.width))
            return mask
        if kind == "boxes":
            most = int(self.description.metadata["frames"]["detections"])
            found, limits = (CDetection * most)(), self.frames.limits(how.get("score"), how.get("overlap"))
            self._locked(run, *start, ctypes.byref(limits), *place, found, ctypes.c_uint(most), ctypes.byref(count))
            return self.frames.detections(found, count.value)
        most = max(int(how.get("top", 5)), 0)
        best = (CClass * max(most, 1))()
        self._locked(run, *start, *place, best, ctypes.c_uint(most), ctypes.byref(count))
        return self.frames.classes(best, count.value)

    @property
    def frames(self) -> FrameFunctions:
        """The steps of ``run_frame``, each on its own."""
        return FrameFunctions(self.description, self._functions)

    def _locked(self, function: Any, *arguments: Any) -> None:
        with self._lock:
            self._check(function(*arguments))

    def clone(self) -> Library:
        """The same library with a context and an arena of its own, for another thread."""
        return Library(self.description, self.threads, functions=self._functions)

    def outputs(self) -> Arrays:
        """New arrays for the outputs."""
        return tuple(np.empty(port.shape, port.dtype) for port in self.description.outputs)

    def run_steps(self, inputs: Arrays, outputs: Arrays, first: int, count: int) -> None:
        """Run ``count`` steps from ``first`` on; all steps in order make up one run."""
        self.description.checked(inputs)
        with self._lock:
            self._check(
                self._function("run_steps")(
                    self._context, _pointers(inputs), _pointers(outputs), ctypes.c_uint(first), ctypes.c_uint(count)
                )
            )

    def bind(self, inputs: Arrays, outputs: Arrays) -> Callable[[], None]:
        """Return a call that runs once on these arrays, which are checked now and must stay where they are.

        It saves what a call from Python costs otherwise: some hundredths of a millisecond.
        """
        self.description.checked(inputs)
        function, lock = self._function("run"), self._lock
        arguments = self._context, _pointers(inputs), _pointers(outputs)

        def run(kept: tuple[Arrays, Arrays] = (inputs, outputs)) -> None:
            with lock:
                self._check(function(*arguments))

        return run

    def step_call(self, inputs: Arrays, outputs: Arrays) -> StepCall:
        """Return what C code needs to run steps on these arrays; it must not call from two threads at once."""
        self.description.checked(inputs)
        function = ctypes.cast(self._function("run_steps"), ctypes.c_void_p).value or 0
        places = _pointers(inputs), _pointers(outputs)
        context, sources, results = (ctypes.addressof(place) for place in (self._context, *places))
        return StepCall((function, context, sources, results), (self, inputs, outputs, *places))

    def check(self, status: int) -> None:
        """Raise LibraryError for any ``NAME_status`` but success."""
        self._check(status)

    def trace(self, *inputs: NDArray[Any]) -> Iterator[StepResult]:
        """Run step by step and yield what each leaves behind."""
        outputs = self.outputs()
        spaces: dict[str, Sequence[NDArray[Any]]] = {"arena": [self.arena], "input": inputs, "output": outputs}
        for index, step in enumerate(self.description.steps):
            self.run_steps(inputs, outputs, index, 1)
            for place in step.results:
                value = _view(spaces[place.space][place.index], place).copy()
                yield StepResult(index, step.name, place.tensor.name, place.onnx_layout, value)

    def selftest(self) -> None:
        """Run the built-in self-test; LibraryError if it fails."""
        inputs = tuple(np.empty(port.shape, port.dtype) for port in self.description.inputs)
        outputs = self.outputs()
        with self._lock:
            self._check(self._function("selftest")(self._context, _pointers(inputs), _pointers(outputs)))

    def step_names(self) -> tuple[str, ...]:
        """The names of the steps, in order."""
        name = self._function("step_name", ctypes.c_char_p)
        return tuple(name(ctypes.c_uint(step)).decode() for step in range(len(self.description.steps)))

    def _new_arena(self) -> NDArray[np.uint8]:
        return aligned(self.description.arena_bytes, self.description.arena_alignment)

    def _sharing(self) -> Threads:
        """Who shares the work of a run: the library's own pool."""
        return Threads(None, self.threads, None)

    def _take_variant(self) -> None:
        """Take the kernels that the description asks for, else describe those that the library chose."""
        if self.description.variant:
            self._check(self._function("set_variant")(self._context, self.description.variant.encode()))
        else:
            chosen = self._function("variant", ctypes.c_char_p)(self._context).decode()
            self.description = self.description.of(chosen)

    def _function(self, name: str, result: type[Any] = ctypes.c_int) -> Any:
        return _function(self._functions, self.description, name, result)

    def _check(self, status: int) -> None:
        """Raise LibraryError for any status but success."""
        if status == OK:
            return
        reason = self._function("strerror", ctypes.c_char_p)(status).decode()
        if status == E_CPU:
            raise CannotRunError(f"{self.description.name}: {reason} ({', '.join(self.description.requires)})")
        raise LibraryError(f"{self.description.name}: {reason}")


class Threads(ctypes.Structure):
    """``NAME_threads``."""

    _fields_ = (("pool", ctypes.c_void_p), ("count", ctypes.c_uint), ("parallel_for", ctypes.c_void_p))


def _end(deinit: Any, context: Any, arena: object, process: int) -> None:
    """End the threads of a library; ``arena`` is kept until then. A forked process has none of them."""
    if os.getpid() == process:
        deinit(context)


def _open(description: Description) -> ctypes.CDLL:
    machine = platform.machine()
    if description.arch != machine:
        raise LibraryError(
            f"{description.name}: compiled for {description.arch}, but this machine is {machine}; "
            f"use `mnv2c run` or `mnv2c verify`, which emulate"
        )
    if not description.shared.is_file():
        raise LibraryError(f"{description.shared}: missing; compile the model again")
    try:
        functions = ctypes.CDLL(str(description.shared.resolve()))
        abi = _function(functions, description, "abi", ctypes.c_uint)()
    except (OSError, AttributeError) as error:
        raise LibraryError(f"{description.shared}: cannot be loaded: {error}") from error
    if abi != description.abi:
        raise LibraryError(f"{description.shared}: has ABI {abi}, but {description.name}.json says {description.abi}")
    _check_metadata(functions, description)
    return functions


def _check_metadata(functions: ctypes.CDLL, description: Description) -> None:
    """Before any buffer is made: what is known of this library must be what it says of itself."""
    own = _function(functions, description, "metadata", ctypes.c_char_p)()
    try:
        told = description.path.read_bytes()
    except OSError as error:
        raise LibraryError(f"{description.path}: cannot be read: {error.strerror}") from error
    if own != own_text(told):
        raise LibraryError(
            f"{description.path}: is not what {description.shared.name} says of itself; compile the model again"
        )


def _function(functions: ctypes.CDLL, description: Description, name: str, result: type[Any]) -> Any:
    function = getattr(functions, f"{description.name}_{name}")  # unlike an item, looked up only once
    function.restype = result
    return function


def _pointers(arrays: Sequence[NDArray[Any]]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def _view(buffer: NDArray[Any], place: Place) -> NDArray[Any]:
    """The tensor at a place, without a copy."""
    raw = buffer.reshape(-1).view(np.uint8)[place.offset : place.offset + place.tensor.bytes]
    return raw.view(place.tensor.dtype).reshape(place.tensor.shape)
