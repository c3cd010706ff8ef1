"""Looks at the installation: what is there, what is missing, and what each thing is needed for."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from mnv2c.targets import Target, available
from mnv2c.targets.host import Machine, detect

FFI_PIN = "0.1.14.post1"
PYTHON_FLOOR = (3, 11)

#: (name of the wheel, what it is needed for)
WHEELS = (
    ("apache-tvm", "compile"),
    ("apache-tvm-ffi", "compile"),
    ("numpy", "everything"),
    ("onnx", "compile, export, verify"),
    ("onnxruntime", "verify"),
    ("pillow", "run"),
    ("rich", "progress bars"),
    ("safetensors", "compile --weights"),
    ("ziglang", "linking, unless you give --cc"),
)
OPTIONAL_WHEELS = (("torch", "weights from PyTorch"), ("pycocotools", "mAP"), ("xgboost", "tuning"))

EMULATED = {"aarch64": "64-bit", "arm": "32-bit"}
"""The architectures whose emulators are looked for, and what people call them."""


@dataclass(frozen=True)
class Finding:
    """One thing looked for: ``state`` is "ok", "missing" (needed) or "optional" (not there, not needed)."""

    what: str
    state: str
    found: str
    purpose: str


@dataclass(frozen=True)
class Diagnosis:
    """All findings, and per target whether its code can run on this machine."""

    findings: tuple[Finding, ...]
    targets: tuple[dict[str, str], ...]

    @property
    def healthy(self) -> bool:
        """True when nothing that is needed is missing."""
        return all(finding.state != "missing" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "healthy": self.healthy,
            "findings": [asdict(finding) for finding in self.findings],
            "targets": list(self.targets),
        }


def diagnose() -> Diagnosis:
    """Look at everything; starts three short processes at most and never raises for what is missing."""
    machine = detect()
    findings = [
        _python(),
        *(_wheel(name, purpose, "missing") for name, purpose in WHEELS),
        *(_wheel(name, purpose, "optional") for name, purpose in OPTIONAL_WHEELS),
        _compiler(),
        *(_qemu(machine, arch) for arch in EMULATED),
        Finding("processor", "ok", f"{processor()}, {len(os.sched_getaffinity(0))} cores usable", "target host"),
        Finding("vector units", "ok", _vector_units(machine), "which kernels run here"),
    ]
    return Diagnosis(tuple(findings), tuple(target_table(machine)))


def target_table(machine: Machine | None = None) -> list[dict[str, str]]:
    """Return name, isa, libc, description of each target, and in ``runs`` how its code runs on this machine."""
    machine = machine or detect()
    return [
        {
            "name": target.name,
            "isa": target.isa,
            "libc": target.libc,
            "triple": target.triple,
            "mcpu": target.mcpu,
            "runs": how_it_runs(target, machine),
            "description": target.description,
        }
        for target in available()
    ]


def how_it_runs(target: Target, machine: Machine) -> str:
    """Return "yes", "emulated", or "no" with the reason."""
    if target.platform.system.name == "macOS":
        return "no: for macOS"
    if target.arch == machine.arch:
        lacking = [feature for feature in target.requires if feature not in machine.features]
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        return f"no: the CPU lacks {lacking[0]}{more}" if lacking else "yes"
    return "emulated" if find_qemu(target.arch) else f"no: qemu-{target.arch} is missing"


def find_qemu(arch: str) -> str | None:
    """Return the path of the user-mode emulator for ``arch``, or None; works without numpy, unlike the runtime's."""
    return shutil.which(f"qemu-{arch}") or shutil.which(f"qemu-{arch}-static")


def processor() -> str:
    """Return the CPU's marketing name where Linux knows it (ARM cores often have none)."""
    for line in _cpuinfo():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()
    return platform.machine()


def _cpuinfo() -> list[str]:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _python() -> Finding:
    state = "ok" if sys.version_info >= PYTHON_FLOOR else "missing"
    return Finding("python", state, platform.python_version(), "everything (3.11 or newer)")


def _wheel(name: str, purpose: str, absent: str) -> Finding:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, absent, "not installed", purpose)
    if name == "apache-tvm-ffi" and version != FFI_PIN:
        return Finding(name, "missing", f"{version}, but {FFI_PIN} is needed", purpose)
    return Finding(name, "ok", version, purpose)


def _compiler() -> Finding:
    path = shutil.which("cc")
    purpose = "nothing by default; --cc cc links with it"
    return Finding("cc", "ok", f"{path}: {_first_line(path)}", purpose) if path else _absent("cc", purpose)


def _qemu(machine: Machine, arch: str) -> Finding:
    name = f"qemu-{arch}"
    if machine.arch == arch:
        return Finding(name, "ok", "not needed on this CPU", "nothing")
    purpose = f"run and verify of {EMULATED[arch]} ARM libraries on this machine (apt-get install qemu-user)"
    path = find_qemu(arch)
    return Finding(name, "ok", _first_line(path), purpose) if path else _absent(name, purpose)


def _absent(what: str, purpose: str) -> Finding:
    return Finding(what, "optional", "not found", purpose)


def _first_line(program: str) -> str:
    """Return the first line that ``program --version`` prints."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not start ({error})"
    return (done.stdout.splitlines() or ["?"])[0]


def _vector_units(machine: Machine) -> str:
    interesting = ("avx2", "fma", "avx512f", "avx512vl", "avx512_vnni", "asimd", "asimdhp", "asimddp", "i8mm", "sve")
    return ", ".join(name for name in interesting if name in machine.features) or "none known"
