"""Android's native development kit (NDK) as a linker, where somebody has it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.errors import LinkerError
from mnv2c.link.linker import Linker

if TYPE_CHECKING:
    from mnv2c.targets import Target

VARIABLE = "ANDROID_NDK_HOME"
LIBC = "bionic"
TOOLS = "toolchains/llvm/prebuilt"
"""Where the kit keeps one folder of tools per kind of machine that it runs on."""


def find_ndk(target: Target, given: str | Path | None) -> Path | None:
    """The kit's folder: the one given, or for a target on Android that of $ANDROID_NDK_HOME; None without either.

    LinkerError where one is given for another system.
    """
    if given is not None and target.libc != LIBC:
        raise LinkerError(
            f"--ndk {given}: only for Android, but the target {target.name} is {target.triple}; leave it out, or add "
            f"--libc {LIBC}"
        )
    if target.libc != LIBC:
        return None
    found = given or os.environ.get(VARIABLE)
    return Path(found) if found else None


def ndk_linker(target: Target, kit: Path, libraries: tuple[str, ...]) -> Linker:
    """The kit's clang for ``target``; LinkerError where the folder is no kit."""
    folders = sorted(path.parent for path in kit.glob(f"{TOOLS}/*/bin/clang"))
    if not folders:
        raise LinkerError(
            f"{kit}: no Android NDK (it lacks {TOOLS}/*/bin/clang); give its folder with --ndk, or leave --ndk and "
            f"${VARIABLE} out to link without it"
        )
    return Linker(
        compiler=(str(folders[0] / "clang"), f"--target={target.llvm_triple}"),
        archiver=(str(folders[0] / "llvm-ar"),),
        version=f"Android NDK {revision(kit)}",
        libraries=libraries,
        system=target.platform.system,
    )


def revision(kit: Path) -> str:
    """The kit's version, as its ``source.properties`` has it."""
    try:
        text = (kit / "source.properties").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    match = re.search(r"^Pkg\.Revision\s*=\s*(\S+)", text, re.MULTILINE)
    return match[1] if match else "of unknown version"
