"""What build systems read: a pkg-config file and a CMake package, which find everything beside themselves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mnv2c.common.data import fill
from mnv2c.common.escape import pkg_config
from mnv2c.common.version import __version__
from mnv2c.package.header import ABI

if TYPE_CHECKING:
    from mnv2c.targets import Target

HERE = Path(__file__).parent

CMAKE_SYSTEMS = {"Linux": "Linux", "Android": "Android", "macOS": "Darwin"}
"""CMake's names of the systems."""

CMAKE_PROCESSORS = {
    "x86_64": "^(x86_64|AMD64|amd64)$",
    "aarch64": "^(aarch64|arm64|ARM64)$",
    "arm": "^(arm|armv[78].*)$",
}
"""What CMake may call a processor of each architecture: usually what the machine calls itself."""

MATHS = frozenset({"Linux", "Android"})
"""Systems on which mathematical functions, which the kernels of some foreign networks call, are in a libm of their own.
"""


def build_files(name: str, target: Target, summary: str, threads: int = 1) -> dict[str, str]:
    """``NAME.pc``, ``NAMEConfig.cmake`` and ``NAMEConfigVersion.cmake`` by file name."""
    system = target.platform.system
    wanted = {"m": system.name in MATHS, "pthread": threads > 1 and target.libc == "gnu"}
    libraries = [library for library, there in wanted.items() if there]
    shared = system.shared_file(name, ABI)
    return {
        f"{name}.pc": fill(
            HERE / "library.pc.in",
            name=name,
            abi=ABI,
            target=pkg_config(target.name),
            summary=pkg_config(summary),
            version=__version__,
            private=f"Libs.private: {' '.join(f'-l{library}' for library in libraries)}" if libraries else "",
        ).rstrip()
        + "\n",
        f"{name}Config.cmake": fill(
            HERE / "config.cmake.in",
            name=name,
            triple=target.triple,
            system=CMAKE_SYSTEMS[system.name],
            processors=CMAKE_PROCESSORS[target.arch],
            shared=shared,
            soname=system.own_name(name, ABI),
            private=f'\n    INTERFACE_LINK_LIBRARIES "{";".join(libraries)}"' if libraries else "",
        ),
        f"{name}ConfigVersion.cmake": fill(
            HERE / "version.cmake.in", name=name, NAME=name.upper(), version=__version__
        ),
    }
