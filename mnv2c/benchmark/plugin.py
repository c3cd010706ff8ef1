"""Builds the counting plugin for the qemu that is installed, once."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

from mnv2c.common.files import replace_file
from mnv2c.errors import LibraryError
from mnv2c.runtime.emulator import QEMU

HERE = Path(__file__).parent / "c"
SOURCES = ("count.c", "cache.h")
FLAGS = ("-shared", "-fPIC", "-std=c99", "-fvisibility=hidden", "-fno-sanitize=undefined", "-s")

INTERFACE_SINCE_9 = 2
"""Version of qemu's plugin interface: qemu 9 refuses 1, which is all that 7.2 knows. What is used is in both."""


def find_qemu(arch: str) -> str:
    """Return the emulator for ``arch`` that loads plugins, which a statically linked one cannot; LibraryError."""
    found = [path for name in QEMU if (path := shutil.which(name.format(arch=arch)))]
    for path in found:
        if "-plugin" in _output(path, "-h"):
            return path
    if found:
        raise LibraryError(
            f"{found[0]}: cannot load plugins, so nothing can be counted; install the dynamically linked emulator "
            f"(Debian, Ubuntu: apt-get install qemu-user, not qemu-user-static)"
        )
    raise LibraryError(f"qemu-{arch}: missing, so nothing can be counted; Debian, Ubuntu: apt-get install qemu-user")


def interface(qemu: str) -> int:
    """Return the version of the plugin interface to ask this qemu for."""
    match = re.search(r"version (\d+)\.", _output(qemu, "--version"))
    return INTERFACE_SINCE_9 if match and int(match[1]) >= 9 else 1


def build(qemu: str) -> Path:
    """Return the plugin for ``qemu``, built with zig for this machine if the cache lacks it; LinkerError."""
    from mnv2c.link.select import cache_folder, select_linker
    from mnv2c.targets import load

    sources = {name: (HERE / name).read_text(encoding="utf-8") for name in SOURCES}
    libc = "gnu" if platform.libc_ver()[0] == "glibc" else "musl"
    linker = select_linker(load("aarch64" if platform.machine() == "aarch64" else "x86-64-v3", libc=libc))
    flags = (*FLAGS, f"-DPLUGIN_VERSION={interface(qemu)}")
    digest = sha256(repr((sources, flags, linker.version, platform.machine())).encode()).hexdigest()[:16]
    path = cache_folder("plugins") / f"count-{digest}.so"
    if not path.is_file():
        replace_file(path, linker.executable(sources, [], flags))
    return path


def _output(program: str, option: str) -> str:
    try:
        done = subprocess.run([program, option], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LibraryError(f"{program}: does not start: {error}") from error
    return done.stdout
