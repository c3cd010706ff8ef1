"""A small builder over ``tvm.tirx`` nodes: loops, vector loads and stores, bound values, intrinsics.

It knows TIR and nothing of networks. A kernel is a plain C function ``int32_t name(void *, ...)``: raw pointers in
parameter order, zero returned, no TVM calling convention (so the object needs no TVM runtime).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from tvm import ir, tirx

Value: TypeAlias = Any
"""A TIR expression (``tvm.ir.Expr``); TVM ships no type stubs."""
Index: TypeAlias = Any
"""An element index: a Python int when it is known while building, else a TIR int32 expression."""
Buffer: TypeAlias = Any
"""A TIR buffer variable."""


INDEX = "int32"
"""Dtype of element indices. 64-bit indices were no better on AArch64: LLVM widens the induction variables itself."""


CALLED = "mnv2c.called"
"""Attribute of a kernel: the names, separated by blanks, of the functions that it wants inlined."""


def constant(value: int | float, dtype: str, lanes: int = 1) -> Value:
    """Return an immediate of ``dtype``, broadcast to ``lanes``."""
    scalar = tirx.const(value, dtype)
    return scalar if lanes == 1 else tirx.Broadcast(scalar, lanes)


def _vector(dtype: str, lanes: int) -> str:
    return dtype if lanes == 1 else f"{dtype}x{lanes}"


class Register:
    """One vector accumulator.

    It is a buffer of a single vector in scope ``global``: small enough (below 1 KiB) for TVM to place on the stack,
    where LLVM promotes it to a machine register. A larger or ``local`` buffer would become a workspace call.
    """

    def __init__(self, builder: KernelBuilder, dtype: str, lanes: int) -> None:
        self._builder = builder
        self._lanes = lanes
        self._buffer = builder.stack(dtype, lanes)

    def get(self) -> Value:
        """Return the current value."""
        return self._builder.load(self._buffer, 0, self._lanes)

    def set(self, value: Value) -> None:
        """Replace the current value."""
        self._builder.store(self._buffer, 0, value, self._lanes)

    @property
    def pointer(self) -> Value:
        """Where the value lies, for functions that are inlined."""
        return self._builder.pointer(self._buffer, 0)


class KernelBuilder:
    """Collects statements; ``finish`` returns the PrimFunc."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._blocks: list[list[Any]] = [[]]
        self._parameters: list[Any] = []
        self._counter = 0
        self._called: set[str] = set()
        self.times = 1
        """How often the statement that comes next runs, as far as loops and conditions around it say so."""

    def _fresh(self, prefix: str) -> str:
        self._counter += 1
        return f"{prefix}_{self._counter}"

    def _emit(self, statement: Any) -> None:
        self._blocks[-1].append(statement)

    def parameter(self, name: str, elements: int, dtype: str) -> Buffer:
        """Add a pointer parameter to ``elements`` values of ``dtype``; parameters never alias each other."""
        buffer = tirx.decl_buffer((max(elements, 1),), dtype, name)
        pointer = tirx.Var(f"{name}_pointer", tirx.buffer.buffer_data_pointer_type(buffer))
        self._parameters.append(pointer)
        self._blocks[0].insert(len(self._parameters) - 1, tirx.DeclBuffer(buffer, data=pointer))
        return buffer

    def scalar(self, name: str) -> Index:
        """Add an int32 parameter; after all pointers."""
        variable = tirx.Var(name, INDEX)
        self._parameters.append(variable)
        return variable

    def stack(self, dtype: str, elements: int) -> Buffer:
        """Allocate a small buffer on the stack of the current block."""
        buffer = tirx.decl_buffer((elements,), dtype, self._fresh("register"), scope="global")
        self._emit(tirx.AllocBuffer(buffer))
        return buffer

    def register(self, dtype: str, lanes: int) -> Register:
        """Allocate one vector accumulator."""
        return Register(self, dtype, lanes)

    @contextmanager
    def _nested(self) -> Iterator[list[Any]]:
        block: list[Any] = []
        self._blocks.append(block)
        try:
            yield block
        finally:
            self._blocks.pop()

    @contextmanager
    def loop(self, extent: Index, name: str, start: int = 0) -> Iterator[Index]:
        """Repeat the body for ``start <= index < start + extent``; a single iteration needs no loop."""
        known = isinstance(extent, int)
        if known and extent == 1:
            yield start
            return
        variable = tirx.Var(self._fresh(name), INDEX)
        before, self.times = self.times, self.times * (extent if known else 1)
        with self._nested() as body:
            yield variable
        self.times = before
        if body and not (known and extent <= 0):
            kind = tirx.ForKind.SERIAL
            bounds = (tirx.IntImm(INDEX, start), _index(extent, 1))
            self._emit(tirx.For(variable, *bounds, kind, _sequence(body)))

    @contextmanager
    def when(self, condition: Value, holds: int | None = None) -> Iterator[None]:
        """Run the body only if ``condition`` holds; a Python bool is decided while building.

        ``holds``: how often it does, where that is known and counts.
        """
        before, self.times = self.times, self.times if holds is None else holds
        with self._nested() as body:
            yield
        self.times = before
        if condition is True:
            self._blocks[-1].extend(body)
        elif condition is not False and body:
            self._emit(tirx.IfThenElse(condition, _sequence(body), None))

    def bind(self, value: Index, name: str = "value") -> Index:
        """Name a value so that it is computed once; ints stay ints."""
        if isinstance(value, int):
            return value
        variable = tirx.Var(self._fresh(name), value.ty)
        self._emit(tirx.Bind(variable, value))
        return variable

    def promised(self, name: str) -> Index:
        """Return an index whose value is only known when the kernel has been written; see `keep`."""
        return tirx.Var(self._fresh(name), INDEX)

    def keep(self, promised: Index, value: int) -> None:
        """Give a promised index its value."""
        self._blocks[0].insert(0, tirx.Bind(promised, tirx.IntImm(INDEX, value)))

    def load(self, buffer: Buffer, index: Index, lanes: int = 1) -> Value:
        """Read ``lanes`` consecutive elements."""
        return tirx.BufferLoad(buffer, [_index(index, lanes)])

    def store(self, buffer: Buffer, index: Index, value: Value, lanes: int = 1) -> None:
        """Write ``lanes`` consecutive elements."""
        self._emit(tirx.BufferStore(buffer, value, [_index(index, lanes)]))

    def broadcast(self, value: Value, lanes: int) -> Value:
        """Copy a scalar into every lane."""
        return value if lanes == 1 else tirx.Broadcast(value, lanes)

    def index(self, value: Index) -> Value:
        """Return an index as a value, also where it is known."""
        return _index(value, 1)

    def lane(self, vector: Value, lane: int, lanes: int) -> Value:
        """Copy one lane of ``vector`` into ``lanes`` lanes (free in NEON's by-element multiply)."""
        return tirx.Shuffle([vector], [tirx.IntImm("int32", lane)] * lanes)

    def interleave(self, vectors: Sequence[Value], lanes: int) -> Value:
        """Return the first lane of every vector, then the second of every one, and so on."""
        if len(vectors) == 1:
            return vectors[0]
        order = [vector * lanes + lane for lane in range(lanes) for vector in range(len(vectors))]
        return tirx.Shuffle(list(vectors), [tirx.IntImm("int32", index) for index in order])

    def fma(self, a: Value, b: Value, c: Value, dtype: str, lanes: int) -> Value:
        """Return ``a * b + c``, rounded once."""
        return tirx.call_llvm_pure_intrin(_vector(dtype, lanes), "llvm.fma", a, b, c)

    def intrinsic(self, name: str, dtype: str, lanes: int, *arguments: Value) -> Value:
        """Call a pure LLVM intrinsic that returns a vector of ``lanes`` values of ``dtype``."""
        return tirx.call_llvm_pure_intrin(_vector(dtype, lanes), name, *arguments)

    def prefetch(self, buffer: Buffer, index: Index, nearest: int = 1) -> None:
        """Ask for the cache line at ``index`` to be read into every cache level from ``nearest`` on."""
        address = tirx.address_of(self.load(buffer, index))
        read, locality, data_cache = (tirx.IntImm("int32", value) for value in (0, 4 - nearest, 1))
        self._emit(tirx.Evaluate(tirx.call_llvm_intrin("void", "llvm.prefetch", address, read, locality, data_cache)))

    def pointer(self, buffer: Buffer, index: Index) -> Value:
        """Return the address of an element."""
        return tirx.address_of(self.load(buffer, index))

    def reinterpreted(self, value: Value, dtype: str) -> Value:
        """Return the same bits as ``dtype``."""
        return tirx.reinterpret(dtype, value)

    def call(self, dtype: str, name: str, *arguments: Value) -> Value:
        """Call a function that code generation defines and inlines (`mnv2c.codegen.inlined`)."""
        self._called.add(name)
        return tirx.call_extern(dtype, name, *arguments)

    def run(self, call: Value) -> None:
        """Make a call whose result is not used."""
        self._emit(tirx.Evaluate(call))

    def part(self, vector: Value, first: int, lanes: int) -> Value:
        """Return ``lanes`` neighbouring lanes of ``vector`` (free where they are a whole register)."""
        return tirx.Shuffle([vector], [tirx.IntImm("int32", first + lane) for lane in range(lanes)])

    def finish(self) -> Any:
        """Return the kernel as a PrimFunc with raw pointer parameters that returns 0."""
        body = [*self._blocks[0], tirx.stmt.Return(tirx.const(0, "int32"))]
        function = tirx.PrimFunc(self._parameters, tirx.SeqStmt(body), ir.PrimType("int32"))
        if self._called:
            function = function.with_attr(CALLED, " ".join(sorted(self._called)))
        return function.with_attr("global_symbol", self.name).with_attr("tirx.noalias", True)


def _index(index: Index, lanes: int) -> Value:
    base = tirx.IntImm(INDEX, index) if isinstance(index, int) else index
    return base if lanes == 1 else tirx.Ramp(base, tirx.IntImm(INDEX, 1), lanes)


def _sequence(statements: list[Any]) -> Any:
    return statements[0] if len(statements) == 1 else tirx.SeqStmt(statements)


def modulo(value: Index, divisor: int) -> Index:
    """Return ``value`` modulo ``divisor``, never negative."""
    return value % divisor if isinstance(value, int) else tirx.floormod(value, tirx.IntImm(INDEX, divisor))


def divided(value: Index, divisor: int) -> Index:
    """Return ``value``, which is not negative, divided by ``divisor`` and rounded down."""
    return value // divisor if isinstance(value, int) else tirx.floordiv(value, tirx.IntImm(INDEX, divisor))


def equal(first: Index, second: int) -> Value:
    """Return whether an index has a value."""
    return first == second if isinstance(first, int) else tirx.EQ(first, tirx.IntImm(INDEX, second))


def maximum(first: Index, second: Index) -> Index:
    """Return the larger of two indices."""
    if isinstance(first, int) and isinstance(second, int):
        return max(first, second)
    return tirx.max(_index(first, 1), _index(second, 1))


def minimum(first: Index, second: Index) -> Index:
    """Return the smaller of two indices."""
    if isinstance(first, int) and isinstance(second, int):
        return min(first, second)
    return tirx.min(_index(first, 1), _index(second, 1))


def limited(value: Index, low: int, high: int) -> Index:
    """Return an index, or the bound of [low, high] that it exceeds."""
    return minimum(maximum(value, low), high)


def cast(value: Value, dtype: str, lanes: int = 1) -> Value:
    """Convert a value, or a vector of ``lanes``, to ``dtype``; an integer of Python is an index."""
    return tirx.Cast(_vector(dtype, lanes), _index(value, 1) if isinstance(value, int) else value)


def both(first: Value, second: Value) -> Value:
    """Return the conjunction of two conditions, either of which may be a Python bool."""
    if isinstance(first, bool):
        return second if first else False
    if isinstance(second, bool):
        return first if second else False
    return tirx.all(first, second)


def negated(condition: Value) -> Value:
    """Return whether a condition does not hold."""
    return not condition if isinstance(condition, bool) else tirx.Not(condition)


def outside(value: Index, extent: int) -> Value:
    """Return whether ``value`` lies outside [0, extent)."""
    if isinstance(value, int):
        return not 0 <= value < extent
    return tirx.any(value < 0, value >= extent)
