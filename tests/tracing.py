"""Runs a command under strace and says what it wrote, where, and whether it used the network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STRACE = shutil.which("strace")

WRITING = {
    "creat", "link", "linkat", "symlink", "symlinkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir",
    "mkdir", "mkdirat", "mknod", "mknodat", "chmod", "fchmodat", "chown", "lchown", "fchownat", "truncate", "utimensat",
    "setxattr", "lsetxattr", "removexattr",
}  # fmt: skip
OPENING = {"open", "openat", "openat2"}
FOR_WRITING = re.compile(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)")
NETWORK = {"socket", "connect", "bind", "sendto", "sendmsg", "sendmmsg"}
FAMILY = re.compile(r"AF_\w+")
NAME_SERVICE = re.compile(r'sun_path="(?:/var)?/run/nscd/')
"""The C library asks this machine's own cache for users; that is no network."""

LINE = re.compile(r"^(\d+) +(\w+)\((.*)\) += (\S.*)$")
UNFINISHED = re.compile(r"^(\d+) +(\w+)\((.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
ARGUMENT = re.compile(r'(?:(AT_FDCWD|\d+)(?:<([^>]*)>)?, )?"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Call:
    """A system call that came to an end: process, name, arguments as strace prints them, result."""

    process: int
    name: str
    arguments: str
    result: str

    @property
    def succeeded(self) -> bool:
        return not self.result.startswith("-1")


def usable() -> str:
    """Return why strace cannot be used here; empty where it can."""
    if STRACE is None:
        return "strace is missing (apt-get install strace)"
    done = subprocess.run([STRACE, "-f", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"strace does not work here: {' '.join(done.stderr.split())[:200]}"


def trace(
    command: Sequence[str], log: Path, environment: Mapping[str, str], cwd: Path, calls: str = "%file,%network,%process"
) -> tuple[subprocess.CompletedProcess[str], list[Call]]:
    """Run a command; return how it ended and its system calls, those of its children included."""
    options = ["-f", *_quickly(), "-y", "-s", "4096", "-e", f"trace={calls},chdir,fchdir", "-o", str(log)]
    words = [str(STRACE), *options, *command]
    done = subprocess.run(words, cwd=cwd, env=dict(environment), capture_output=True, text=True, check=False)
    return done, list(read(log.read_text("utf-8", "replace").splitlines()))


@cache
def _quickly() -> tuple[str, ...]:
    """The option that stops at no other call than those to show, which newer versions have."""
    words = [str(STRACE), "-f", "--seccomp-bpf", "-e", "trace=execve", "-o", os.devnull, "true"]
    return ("--seccomp-bpf",) if subprocess.run(words, capture_output=True, check=False).returncode == 0 else ()


def read(lines: Sequence[str]) -> Iterator[Call]:
    """The calls in the order in which they ended."""
    begun: dict[str, str] = {}
    for line in lines:
        if unfinished := UNFINISHED.match(line):
            begun[unfinished[1]] = f"{unfinished[2]}({unfinished[3]}"
            continue
        whole = line
        if (resumed := RESUMED.match(line)) and resumed[1] in begun:
            whole = f"{resumed[1]} {begun.pop(resumed[1])}{resumed[3]}"
        if call := LINE.match(whole):
            yield Call(int(call[1]), call[2], call[3], call[4])


def network(calls: Sequence[Call]) -> list[Call]:
    """What reached, or tried to reach, beyond this machine."""
    families = ((call, set(FAMILY.findall(call.arguments))) for call in calls if call.name in NETWORK)
    return [
        call
        for call, found in families
        if found - {"AF_UNIX", "AF_UNSPEC"}
        or (call.name == "connect" and "AF_UNIX" in found and not NAME_SERVICE.search(call.arguments))
    ]


def written(calls: Sequence[Call], start: Path) -> set[Path]:
    """Every path that was made, changed, renamed or removed; ``start`` is the first process's folder."""
    folders = _Folders(calls, start)
    found: set[Path] = set()
    for call in calls:
        folders.follow(call)
        opened = call.name in OPENING and FOR_WRITING.search(call.arguments.rpartition('"')[2])
        if call.succeeded and (call.name in WRITING or opened):
            found |= folders.paths(call)
    return found


class _Folders:
    """The current folder of each process, which children inherit."""

    def __init__(self, calls: Sequence[Call], start: Path) -> None:
        self._start, self._now = start, dict[int, Path]()
        self._parents = {
            int(call.result.split()[0]): call.process
            for call in calls
            if call.name in ("clone", "clone3", "fork", "vfork") and call.result.split()[0].isdigit()
        }

    def follow(self, call: Call) -> None:
        if call.name == "chdir" and call.succeeded:
            self._now[call.process] = next(iter(self.paths(call)))
        elif call.name == "fchdir" and call.succeeded:
            self._now[call.process] = Path(call.arguments.partition("<")[2].rstrip(">"))

    def of(self, process: int) -> Path:
        while process not in self._now:
            if process not in self._parents:
                return self._start
            process = self._parents[process]
        return self._now[process]

    def paths(self, call: Call) -> set[Path]:
        found = ARGUMENT.findall(call.arguments)
        # The first word of symlink is what the link says, no file.
        used = found[1:] if call.name.startswith("symlink") else found
        base = self.of(call.process)
        return {Path(os.path.normpath((Path(folder) if folder else base) / name)) for _, folder, name in used}
