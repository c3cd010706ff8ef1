"""The ARM Linux that peers run in under qemu: what ``tools/arm_peers.sh`` prepared, with the CPU to emulate."""

from __future__ import annotations

import os
from pathlib import Path

from mnv2c.benchmark.job import UnavailableError
from mnv2c.common.data import PACKAGE

FOLDER = "MNV2C_ARM_PEERS"
"""Environment variable: the folder that ``tools/arm_peers.sh`` made, by default .arm-peers beside the package."""

PYTHON = "system/usr/bin/python3"
COMMAND = ("-L", "./system", PYTHON, "-B")
"""Arguments of qemu for Python in a folder that ``lay_out`` filled."""

ENVIRONMENT = {"PYTHONPATH": "packages", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
"""All of it: less to differ between runs."""

SOURCE = "source"
"""Where mnv2c is found, without the packages of this machine beside it."""

ARMV8_0 = "fp asimd evtstrm aes pmull sha1 sha2 crc32 cpuid"
ARMV8_2 = f"{ARMV8_0} atomics fphp asimdhp asimdrdm lrcpc dcpop asimddp"

CPUS = {
    "cortex-a53": ("0xd03", ARMV8_0),
    "cortex-a55": ("0xd05", ARMV8_2),
    "cortex-a72": ("0xd08", ARMV8_0),
    "cortex-a76": ("0xd0b", ARMV8_2),
    "neoverse-n1": ("0xd0c", ARMV8_2),
}
"""Part number and extensions by qemu's name of the CPU, as Linux reports them; another CPU counts as the first."""

CPUINFO = """processor\t: 0
BogoMIPS\t: 100.00
Features\t: {features}
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: {part}
CPU revision\t: 0

"""

SYSTEM = {
    "possible": "0",
    "present": "0",
    "online": "0",
    "kernel_max": "0",
    "cpu0/topology/physical_package_id": "0",
    "cpu0/topology/core_id": "0",
}
"""Files under /sys/devices/system/cpu: one CPU."""


def find() -> Path:
    """Return the prepared folder; UnavailableError where it is missing or incomplete."""
    folder = Path(os.environ.get(FOLDER) or PACKAGE.parent / ".arm-peers").resolve()
    absent = [name for name in (PYTHON, "packages") if not (folder / name).exists()]
    if absent:
        raise UnavailableError(f"not prepared for ARM: {folder / absent[0]} is missing; run `make arm-peers`")
    return folder


def lay_out(prepared: Path, folder: Path, cpu: str) -> None:
    """Make ``folder`` the working directory for ``COMMAND``: links to the prepared one, and files that show one CPU.

    Peers read those files to choose their kernels; with the ones of this machine some of them crash.
    """
    root = folder / "system"
    root.mkdir()
    for entry in (prepared / "system").iterdir():
        (root / entry.name).symlink_to(entry)
    (folder / "packages").symlink_to(prepared / "packages")
    (folder / SOURCE).mkdir()
    (folder / SOURCE / PACKAGE.name).symlink_to(PACKAGE)
    part, features = CPUS.get(cpu, next(iter(CPUS.values())))
    _write(root / "proc" / "cpuinfo", CPUINFO.format(part=part, features=features))
    for name, text in SYSTEM.items():
        _write(root / "sys/devices/system/cpu" / name, f"{text}\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="ascii")
