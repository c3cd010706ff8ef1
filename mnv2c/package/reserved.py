"""Words that no library can be called: its name begins every symbol, and is the name of its header and its files."""

from __future__ import annotations

import re

KEYWORDS = frozenset(
    """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef typeof union unsigned void volatile while
    alignas alignof and asm bitand bitor bool catch char16_t char32_t char8_t class compl concept consteval constexpr
    constinit const_cast co_await co_return co_yield decltype delete dynamic_cast explicit export false final friend
    import module mutable namespace new noexcept not nullptr operator or override private protected public
    reinterpret_cast requires static_assert static_cast template this thread_local throw true try typeid typename
    typeof_unqual using virtual wchar_t xor and_eq not_eq or_eq xor_eq linux unix
    """.split()
)
"""Keywords of C and C++ and macros that compilers define without being asked, as they are written."""

HEADERS = frozenset(
    """
    assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign stdarg stdatomic
    stdbit stdbool stdckdint stdcountof stddef stdint stdio stdlib stdnoreturn string tgmath threads time uchar wchar
    wctype

    aio cpio devctl dirent dlfcn endian fcntl fmtmsg fnmatch ftw glob grp iconv langinfo libgen libintl monetary mqueue
    ndbm netdb nl_types poll pthread pwd regex sched search semaphore spawn strings stropts syslog tar termios trace
    ucontext ulimit unistd utime utmpx varargs wordexp

    aliases alloca ar argp argz byteswap crypt elf envz err error execinfo features fpregdef fpu_control fstab fts
    gconv getopt gshadow ieee754 ifaddrs lastlog link malloc mcheck memory mntent nss obstack paths printf proc_service
    pty re_comp regdef regexp resolv sgidefs sgtty shadow stab stdio_ext syscall sysexits thread_db ttyent utmp values
    wait

    altivec amo arm_acle arm_bf16 arm_fp16 arm_mve arm_neon arm_sme arm_sve arm_vector_types builtins cet cpuid
    mm3dnow mm_malloc omp ptrauth unwind vadefs

    availability copyfile curses hfs libproc ncurses nlist objc removefile sandbox standards tzfile uuid xlocale
    conio direct dos io process share windows winsock winsock2
    """.split()
)
"""Headers of C, of POSIX, of C libraries and of compilers: NAME.h before them on the include path would hide them."""

FILES = frozenset(
    {"con", "prn", "aux", "nul", "main", "mnv2c"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
)
"""Names that Windows keeps for devices, whatever their ending, and those of other files: main.c, mnv2cConfig.cmake."""

LIBRARIES = frozenset("anl atomic c crypt dl gcc gcc_s m nsl pthread resolv rt ssp system thread_db util".split())
"""Libraries of systems: ``-lNAME`` with libNAME.a first on the path would take that one instead."""

PREFIXES = frozenset("aio argp best cnd mtx sem".split())
"""C libraries have a function of one of our names with these, such as ``sem_init``, or the generated C has."""


def taken_by(name: str) -> str:
    """Say what else is called so, empty where nothing is; file systems may not tell capitals from small letters."""
    small = name.lower()
    if name in KEYWORDS:
        return "is a keyword of C or C++"
    if small in HEADERS or re.fullmatch("[a-z0-9]*intrin", small):
        return f"its header would hide the system's <{small}.h>"
    if small in FILES:
        return "is a file name that is taken"
    if small in LIBRARIES:
        return f"lib{name} is a library of the system"
    return "its functions would have names that are taken" if name in PREFIXES else ""
