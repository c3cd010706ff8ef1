"""What a board is told, for any POSIX shell: dash, bash, busybox and Android's. One line each: csh passes that on.

Everything lies in one folder that only its owner can enter. Its name says which session it belongs to, so that the next
one on the same machine removes it where this one could not.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
from shlex import quote

from mnv2c.tune.devices.process import Finished

PROGRAM = "measure"
NOT_EXECUTABLE = 126
"""A shell's status where a file may not, or cannot, be run."""

MARK = "mnv2c-status"
"""Begins the line that ends every command: without it the connection broke, whatever status ssh or adb returns."""

NAME = re.compile(r"mnv2c-tune-(?P<client>[0-9a-f]{8})-(?P<process>[0-9]+)-[0-9a-f]{8}")

FACTS = (
    'echo "machine=$(uname -m)"; echo "system=$(uname -s) $(uname -r)"; '
    'echo "online=$(cat /sys/devices/system/cpu/online 2>/dev/null)"; '
    'echo "board=$(tr -d "\\000" </sys/firmware/devicetree/base/model 2>/dev/null)"; '
    "if command -v getprop >/dev/null 2>&1; then for p in ro.product.manufacturer ro.product.model ro.soc.model; do "
    'echo "android=$(getprop $p)"; done; fi; '
    "sed -n -e 's/^model name[[:space:]]*: */model=/p' -e 's/^CPU part[[:space:]]*: */part=/p' "
    "/proc/cpuinfo 2>/dev/null"
)
"""Prints one NAME=VALUE per line: what the board says of itself."""


def client() -> str:
    """Eight hexadecimal digits that are the same for every session of this user on this machine."""
    return hashlib.sha256(f"{platform.node()} {os.getuid()}".encode()).hexdigest()[:8]


def fresh_name() -> str:
    """The name of a private folder that no other session has."""
    return f"mnv2c-tune-{client()}-{os.getpid()}-{secrets.token_hex(4)}"


def is_left_over(name: str) -> bool:
    """Whether a folder is of a session on this machine, by this user, that is no more."""
    match = NAME.fullmatch(name)
    if match is None or match["client"] != client():
        return False
    try:
        os.kill(int(match["process"]), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def marked(script: str) -> str:
    """``script``, and then a line with ``MARK`` and its status."""
    return f"( {script} ); printf '\\n%s %s\\n' {MARK} $?"


def unmarked(done: Finished) -> Finished | None:
    """What a marked script wrote, with its own status; None where it did not come to its end."""
    output = done.output.replace("\r\n", "\n")
    own, found, status = output.rpartition(f"\n{MARK} ")
    if not found or not status.strip().isdigit():
        return None
    return Finished(int(status), own, done.errors)


def find(parent: str) -> str:
    """Print the names of the private folders of this machine's sessions in ``parent``."""
    return f'for d in {quote(parent)}/mnv2c-tune-{client()}-*; do if [ -d "$d" ]; then echo "${{d##*/}}"; fi; done'


def make(folder: str) -> str:
    """Make the private folder and run an empty script in it: on a folder mounted noexec that fails."""
    return (
        f"umask 077; mkdir -p {quote(folder.rpartition('/')[0])} && mkdir {quote(folder)} && cd {quote(folder)} && "
        ": >try && chmod 700 try && ./try && rm try"
    )


def stop(folder: str) -> str:
    """Kill what still runs out of ``folder``: it goes on when a connection breaks, and would disturb the next trial."""
    return (
        f'for p in /proc/[0-9]*; do if [ "$p/exe" -ef {quote(f"{folder}/{PROGRAM}")} ]; then kill -9 "${{p#/proc/}}"; '
        "fi; done 2>/dev/null"
    )


def remove(folder: str) -> str:
    """Stop what runs in ``folder``, then remove it."""
    return f"{stop(folder)}; rm -rf {quote(folder)}"


def take(folder: str) -> str:
    """Store standard input as a program: whole or not at all."""
    new, program = quote(f"{folder}/new"), quote(f"{folder}/{PROGRAM}")
    return f"cat >{new} && {install(folder)} || {{ status=$?; rm -f {new} {program}; exit $status; }}"


def install(folder: str) -> str:
    """Make the file ``new`` in ``folder`` the program."""
    new, program = quote(f"{folder}/new"), quote(f"{folder}/{PROGRAM}")
    return f"chmod 700 {new} && mv -f {new} {program}"


def measure(folder: str, arguments: str) -> str:
    """Run the program."""
    return f"cd {quote(folder)} && ./{PROGRAM} {arguments}"
