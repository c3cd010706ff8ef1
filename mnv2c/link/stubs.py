"""Stand-ins for Android's C libraries, to link without its development kit: names without code behind them.

A shared library only records the name of the file it needs; the functions are those of the device. Every one listed
here has been in Android since the first version for 64 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PER_FUNCTION = """\
    .globl {symbol}
    .type {symbol}, %function
{symbol}:
    .word 0
"""
END = '    .section .note.GNU-stack,"",%progbits\n'


@dataclass(frozen=True)
class Stub:
    """A shared library by its file name, and the functions that it is to have."""

    file: str
    functions: tuple[str, ...]

    @property
    def assembly(self) -> str:
        """The source of the stand-in."""
        return "    .text\n" + "".join(PER_FUNCTION.format(symbol=symbol) for symbol in self.functions) + END


def _both(names: Sequence[str]) -> tuple[str, ...]:
    """Functions of double and of float."""
    return tuple(f"{name}{suffix}" for name in names for suffix in ("", "f"))


PTHREAD = (
    *("pthread_create", "pthread_join", "pthread_mutex_init", "pthread_mutex_destroy", "pthread_mutex_lock"),
    *("pthread_mutex_unlock", "pthread_cond_init", "pthread_cond_destroy", "pthread_cond_wait"),
    *("pthread_cond_signal", "pthread_cond_broadcast", "pthread_sigmask", "sigfillset", "sigdelset"),
)
"""What a library's thread pool calls."""

ANDROID = (
    Stub("libc.so", ("getauxval", "memcpy", "memmove", "memset", *PTHREAD)),
    Stub(
        "libm.so",
        _both(
            """
            acos acosh asin asinh atan atan2 atanh cbrt ceil cos cosh erf erfc exp exp2 expm1 floor fma fmax fmin fmod
            ldexp log log10 log1p log2 nearbyint pow rint round sin sinh sqrt tan tanh trunc
            """.split()
        ),
    ),
)
