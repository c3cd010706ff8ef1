"""Whole compiled libraries under valgrind, which sees what sanitizers do not: every instruction of the kernels.

Memcheck finds accesses outside of a buffer and values that were never written; helgrind and DRD find two threads that
access the same memory without an order. Each is shown to find such a fault first. The latter two do not know that
atomic operations order threads, so they look at threads of the program; ThreadSanitizer looks at the library's pool
(test_crew.py).
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mnv2c.api import compile_model
from tests.sharing import once

VALGRIND, GCC = shutil.which("valgrind"), shutil.which("gcc")
TARGET = {"x86_64": "x86-64-v3", "aarch64": "aarch64"}.get(platform.machine(), "")
"""What valgrind decodes: it knows nothing of AVX-512."""

FOUND = 9
COUNT = 4

pytestmark = pytest.mark.skipif(
    not (VALGRIND and GCC and TARGET),
    reason="valgrind or gcc is missing (apt-get install valgrind gcc): NO compiled kernel was looked at by it",
)

CLEAN = [
    ("memcheck", "own"), ("memcheck", "fork"), ("memcheck", "solo"),
    ("helgrind", "fork"), ("drd", "fork"),
]  # fmt: skip


def build(folder: Path, **options: Any) -> Path:
    """Compile a network, and the program that runs it, into ``folder``."""
    made = compile_model("mobilenet_v2", TARGET, output=folder, name="net", threads=COUNT, **options).directory
    source = Path(__file__).with_name("checked.c")
    flags = ["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-g", "-O1", "-I."]
    command = [str(GCC), *flags, str(source), "libnet.a", "-lpthread", "-lm", "-o", "checked"]
    subprocess.run(command, cwd=made, check=True)
    return made


def look(folder: Path, tool: str, mode: str) -> tuple[int, str]:
    """Return the exit code, ``FOUND`` where the tool found something, and what was said."""
    more = ["--leak-check=full", "--redzone-size=2048"] if tool == "memcheck" else []
    command = [str(VALGRIND), "-q", f"--tool={tool}", f"--error-exitcode={FOUND}", *more, "./checked", mode]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "valgrind", lambda folder: build(folder, width=0.35, resolution=32))


@pytest.mark.parametrize(
    ("tool", "mode", "words"),
    [
        ("memcheck", "short", "after a block of size"),
        ("memcheck", "unset", "depends on uninitialised value"),
        ("helgrind", "race", "Possible data race"),
        ("drd", "race", "Conflicting store"),
    ],
)
def test_faults_are_found(folder: Path, tool: str, mode: str, words: str) -> None:
    code, said = look(folder, tool, mode)
    assert code == FOUND
    assert words in said
    assert mode == "unset" or "net_stem_bottleneck_01" in said  # in machine code that no sanitizer instruments


@pytest.mark.parametrize(("tool", "mode"), CLEAN)
def test_nothing_is_found(folder: Path, tool: str, mode: str) -> None:
    assert look(folder, tool, mode) == (0, "done\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"width": 0.35, "resolution": 96},
        {"width": 0.35, "resolution": 96, "arena_limit": 90000},
        {"width": 1.0, "resolution": 224},
        {"width": 1.0, "resolution": "97x131"},
    ],
    ids=["0.35-96", "0.35-96-small-arena", "1.0-224", "1.0-97x131"],
)
def test_nothing_is_found_in_larger_networks(tmp_path: Path, options: dict[str, Any]) -> None:
    made = build(tmp_path, **options)
    for tool, mode in CLEAN:
        assert look(made, tool, mode) == (0, "done\n"), f"{tool} {mode}"
