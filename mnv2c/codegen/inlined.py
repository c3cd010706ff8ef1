"""Functions in LLVM's language that kernels call where TIR has no words, per architecture; LLVM inlines them.

AArch64's LD1 fills up to four registers, and moves its pointer on, in one instruction; LLVM's intrinsics for it return
structures, which TIR cannot name. Empty assembly statements, of no instruction, keep LLVM from undoing it: one hides
where a pointer comes from (else all loads are addressed from one register, with an addition for each), one makes a
pointer wait for accumulators (else the scheduler loads further ahead than there are registers). Elsewhere the same
functions are plain loads, so that the kernels run, and are tested, on any machine.

A slot is a pointer to a pointer; vectors are <4 x float>; steps are bytes. ``mnv2c_take_N(slot, step)`` loads N vectors
and moves the pointer, ``mnv2c_wait_N(slot, sums...)`` lets the pointer's next use wait for N accumulators, and
``mnv2c_hide(value)`` returns a number that the compiler does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mnv2c.errors import CompilerError

LANES = 4
_VECTOR = "<4 x float>"
_PURE = "nounwind memory(none)"
_MOVE = "  %next = getelementptr i8, ptr %p, i64 %step"


def definitions(names: Iterable[str], arch: str) -> str:
    """Return the functions' text for ``arch``, such as "aarch64"; raises CompilerError for a name that is unknown."""
    return "".join(_define(name, arch == "aarch64") for name in sorted(names))


def _define(name: str, is_native: bool) -> str:
    kind, _, number = name.removeprefix("mnv2c_").partition("_")
    kinds = {"take": _take, "wait": _wait}
    if kind == "hide" and not number:
        return _hide(name, is_native)
    if kind not in kinds or not number.isdecimal():
        raise CompilerError(f"a kernel calls {name}, which nobody defines")
    return kinds[kind](name, int(number), is_native)


def _struct(types: Sequence[str]) -> str:
    return "{ " + ", ".join(types) + " }"


def _moved(is_native: bool) -> list[str]:
    """Lines that move the pointer in the slot on; what is loaded next must not be addressed from the old one."""
    if not is_native:
        return [_MOVE, "  store ptr %next, ptr %slot"]
    return [_MOVE, f'  %hidden = call ptr asm "", "=r,0"(ptr %next) {_PURE}', "  store ptr %hidden, ptr %slot"]


def _take(name: str, count: int, is_native: bool) -> str:
    whole = f"<{LANES * count} x float>"
    lines = [f"define {whole} @{name}(ptr %slot, i64 %step) {{", "  %p = load ptr, ptr %slot", *_moved(is_native)]
    if count == 1 or not is_native:
        return "\n".join([*lines, f"  %v = load {whole}, ptr %p, align 4", f"  ret {whole} %v", "}", ""])
    struct, intrinsic = _struct([_VECTOR] * count), f"@llvm.aarch64.neon.ld1x{count}.v4f32.p0(ptr"
    lines.append(f"  %v = call {struct} {intrinsic} %p)")
    for index in range(count):
        mask, before = f"<{LANES * count} x i32>", f"%s{index - 1}" if index else "poison"
        lines += [
            f"  %v{index} = extractvalue {struct} %v, {index}",
            f"  %w{index} = shufflevector {_VECTOR} %v{index}, {_VECTOR} poison, {mask} {_widened(count)}",
            f"  %s{index} = shufflevector {whole} {before}, {whole} %w{index}, {mask} {_joined(index, count)}",
        ]
    return "\n".join([*lines, f"  ret {whole} %s{count - 1}", "}", f"declare {struct} {intrinsic})", ""])


def _widened(count: int) -> str:
    """Shuffle indices that make one vector the first of ``count``."""
    return _indices([lane if lane < LANES else None for lane in range(LANES * count)])


def _joined(index: int, count: int) -> str:
    """Shuffle indices that put a widened vector behind ``index`` others."""
    first, whole = LANES * index, LANES * count
    new = [whole + lane for lane in range(LANES)]
    return _indices([*range(first), *new, *[None] * (whole - first - LANES)])


def _indices(lanes: Sequence[int | None]) -> str:
    return "<" + ", ".join("i32 poison" if lane is None else f"i32 {lane}" for lane in lanes) + ">"


def _wait(name: str, count: int, is_native: bool) -> str:
    parameters = ", ".join(["ptr %slot", *(f"ptr %sum{index}" for index in range(count))])
    lines = [f"define void @{name}({parameters}) {{"]
    if not is_native:
        return "\n".join([*lines, "  ret void", "}", ""])
    struct, arguments = _struct(["ptr", *[_VECTOR] * count]), ["ptr %p"]
    constraints = ",".join(["=r", *["=w"] * count, *map(str, range(count + 1))])
    lines.append("  %p = load ptr, ptr %slot")
    for index in range(count):
        lines.append(f"  %s{index} = load {_VECTOR}, ptr %sum{index}")
        arguments.append(f"{_VECTOR} %s{index}")
    lines += [
        f'  %all = call {struct} asm "", "{constraints}"({", ".join(arguments)}) {_PURE}',
        f"  %q = extractvalue {struct} %all, 0",
        "  store ptr %q, ptr %slot",
    ]
    for index in range(count):
        lines += [
            f"  %t{index} = extractvalue {struct} %all, {index + 1}",
            f"  store {_VECTOR} %t{index}, ptr %sum{index}",
        ]
    return "\n".join([*lines, "  ret void", "}", ""])


def _hide(name: str, is_native: bool) -> str:
    lines = [f"define i64 @{name}(i64 %value) {{"]
    if is_native:
        return "\n".join([*lines, f'  %v = call i64 asm "", "=r,0"(i64 %value) {_PURE}', "  ret i64 %v", "}", ""])
    return "\n".join([*lines, "  ret i64 %value", "}", ""])
