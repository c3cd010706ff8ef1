"""A measuring program for tests of what lies between: see stand_in.c."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


def build(folder: Path, triple: str, *flags: str) -> bytes:
    """Compile it for one of zig's targets; ``-DSHARED -shared`` make it a library for an RPC server."""
    output = folder / f"stand-in-{triple}"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", triple, "-O1", *flags, str(SOURCE), "-o", str(output)]
    subprocess.run(command, check=True, capture_output=True)
    return output.read_bytes()
