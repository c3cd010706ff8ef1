"""What is on the disk when: the order of writing, and what full, missing or closed folders do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mnv2c import package
from mnv2c.cli.main import main
from mnv2c.common import files
from mnv2c.common.scratch import scratch_folder, temporary_folder
from mnv2c.errors import OutputError
from mnv2c.package import Symlink
from tests import tracing
from tests.faults import compiling

TEXTS = {"a": "one", "b": "two", "c": "three"}

WRITE = """
import sys
from mnv2c import package
package.write(sys.argv[1], {"a": sys.argv[2], "b": sys.argv[2], "link": package.Symlink("a")})
"""
CALLS = "fsync,fdatasync,rename,renameat,renameat2,openat,write"


def order(tmp_path: Path, code: str, *words: str) -> list[str]:
    """Run Python under strace; what it did about the disk, in order, with random parts of names left out."""
    if reason := tracing.usable():
        pytest.skip(f"{reason}: the order of writing was NOT looked at")
    command = [sys.executable, "-c", code, *words]
    env = compiling.environment(PYTHONDONTWRITEBYTECODE="1")
    done, calls = tracing.trace(command, tmp_path / "log", env, tmp_path, CALLS)
    assert done.returncode == 0, done.stderr
    found = []
    for call in calls:
        text = re.sub(r"\.mnv2c-[0-9a-f]{8}", ".new", call.arguments).replace(f"{tmp_path.resolve()}/", "")
        if call.name == "write" and "<" in text and ".new" in text:
            found.append(f"write {re.findall('<(.*?)>', text)[0]}")
        elif call.name == "fsync":
            found.append(f"sync {re.findall('<(.*?)>', text)[0].removeprefix(str(tmp_path.resolve())) or '.'}")
        elif call.name.startswith("rename") and ".new" in text:
            found.append("exchange" if "RENAME_EXCHANGE" in text else "rename")
    return found


def test_a_new_folder_is_on_the_disk_before_it_has_its_name(tmp_path: Path) -> None:
    new = [f"{kind} .out.new/{name}" for kind in ("write", "sync") for name in "ab"]
    assert order(tmp_path, WRITE, "out", "1") == [*new, "sync .out.new", "rename", "sync ."]


def test_an_old_folder_is_replaced_when_the_new_one_is_on_the_disk(tmp_path: Path) -> None:
    package.write(tmp_path / "out", {"a": "0", "b": "0", "link": Symlink("a")})
    found = order(tmp_path, WRITE, "out", "1")
    new = [f"{kind} .out.new/{name}" for kind in ("write", "sync") for name in "ab"]
    assert found[:4] == new
    exchanged = ["sync .out.new", "exchange", "sync ."]
    assert found[4:] in (exchanged, [*exchanged[:1], *["rename"] * 3, "sync out"])


def test_a_single_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    code = "from pathlib import Path; from mnv2c.common.files import replace_file; replace_file(Path('file'), b'new')"
    assert order(tmp_path, code) == ["write .file.new", "sync .file.new", "rename", "sync ."]
    assert (tmp_path / "file").read_text() == "new"


@pytest.mark.parametrize("why", ["cwd", "many", "other system of files"])
def test_folders_that_cannot_be_exchanged_get_file_by_file(
    why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    package.write(folder, {**TEXTS, "a": "old"})
    (folder / "mine").mkdir()
    (folder / "mine" / "file").write_text("mine")
    inode = folder.stat().st_ino
    if why == "cwd":
        monkeypatch.chdir(folder / "mine")
    elif why == "many":
        monkeypatch.setattr("mnv2c.package.exchange.MOST_OTHERS", 1)
    else:

        def refuse(one: Path, other: Path) -> None:
            raise OSError(18, "Invalid cross-device link")

        monkeypatch.setattr("mnv2c.package.exchange._swap", refuse)
    package.write(folder, TEXTS)
    assert folder.stat().st_ino == inode
    assert {path.name: path.read_text() for path in folder.iterdir() if path.is_file()} == TEXTS
    assert (folder / "mine" / "file").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_others_keep_goes_along(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    package.write(folder, TEXTS)
    (folder / "mine" / "deep").mkdir(parents=True)
    (folder / "mine" / "deep" / "file").write_text("mine")
    (folder / "mine" / "link").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    folder.chmod(0o750)
    before = {path: path.lstat() for path in folder.rglob("*") if not path.is_dir() and path.name not in TEXTS}
    inode = folder.stat().st_ino
    package.write(folder, TEXTS)
    assert folder.stat().st_ino != inode
    assert folder.stat().st_mode & 0o777 == 0o750
    assert len(before) == 3
    assert all(os.path.samestat(found, path.lstat()) for path, found in before.items())
    assert all(path.lstat().st_nlink == 1 for path in before)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_called_as_a_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "mine").write_text("mine")
    with pytest.raises(OutputError, match="is a folder"):
        package.write(tmp_path / "out", TEXTS)
    assert (tmp_path / "out" / "a" / "mine").read_text() == "mine"
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "a", "mine"]


def test_the_next_removes_what_a_killed_one_left_but_not_what_is_in_use(tmp_path: Path) -> None:
    dead = tmp_path / ".out.mnv2c-00000000"
    dead.mkdir()
    (dead / "a").write_text("half")
    (tmp_path / ".out.mnv2c-mine").write_text("no name that mnv2c gives")
    with files.temporary(tmp_path / "out", folder=True) as living:
        assert not dead.exists()
        (living / "a").write_text("half")
        package.write(tmp_path / "out", TEXTS)
        assert (living / "a").read_text() == "half"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.mnv2c-mine", "out"]


def test_temporary_folders_of_killed_processes_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    dead = tmp_path / ".mnv2c-link.mnv2c-00000000"
    dead.mkdir()
    with scratch_folder("link") as living, scratch_folder("link") as second:
        assert {path.name for path in tmp_path.iterdir()} == {living.name, second.name}
        assert living.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_tmpdir_that_is_none_gets_its_line(kind: str, tmp_path: Path) -> None:
    place = tmp_path / kind
    if kind == "file":
        place.touch()
    process = compiling.start(
        compiling.network(tmp_path / "net.onnx", 0), tmp_path / "out", env=compiling.environment(place)
    )
    code, errors = compiling.finish(process)
    assert (code, errors) == (2, f"mnv2c: error: TMPDIR={place}: no such folder; make it, or unset TMPDIR\n")
    assert not (tmp_path / "out").exists()


def test_no_tmpdir_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr("tempfile.gettempdir", none)
    with pytest.raises(OutputError, match="no folder for temporary files can be written; make room, or set TMPDIR"):
        temporary_folder()


@pytest.mark.parametrize("kilobytes", [8, 60])
def test_a_full_tmpdir_gets_its_line(tmp_path: Path, kilobytes: int) -> None:
    """In a system of files of its own, which others do not see."""
    small = tmp_path / "small"
    small.mkdir()
    unshare = [shutil.which("unshare") or "unshare", *([] if os.geteuid() == 0 else ["-r"]), "-m"]
    mount = f'mount -t tmpfs -o size={kilobytes}k none "$0"'
    if not shutil.which("unshare") or subprocess.run([*unshare, "sh", "-c", mount, str(small)], check=False).returncode:
        pytest.skip("no system of files can be mounted here: NO compile met a full disk")
    model = compiling.network(tmp_path / "net.onnx", 0, 32)
    compile_it = [sys.executable, "-m", "mnv2c", "compile", str(model), "-o", str(tmp_path / "out"), "-q"]
    done = subprocess.run(
        [*unshare, "sh", "-c", f'{mount} && exec "$@"', str(small), *compile_it],
        env=compiling.environment(small),
        capture_output=True,
        text=True,
        check=False,
    )
    words = f"{small}: no room left for temporary files; make room, or set TMPDIR to a folder that has some"
    assert (done.returncode, done.stderr) == (2, f"mnv2c: error: {words}\n")
    assert not (tmp_path / "out").exists()


def test_a_full_disk_that_nobody_names_is_no_internal_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mnv2c.api.inspect", full)
    assert main(["inspect", "m"]) == 1
    expected = "No space left on device; make room where temporary files go (TMPDIR) and where results do"
    assert capsys.readouterr().err == f"mnv2c: error: {expected}\n"


@pytest.mark.parametrize("home", ["missing", "file", "unset"])
def test_a_home_that_cannot_be_written_is_done_without(tmp_path: Path, home: str) -> None:
    """The cache of the compiler is in TMPDIR then."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (tmp_path / "file").touch()
    places = {"missing": "/proc/none", "file": str(tmp_path / "file" / "home"), "unset": ""}
    env = compiling.environment(temporary, HOME=places[home])
    env.pop("XDG_CACHE_HOME", None)
    code = "import sys; from mnv2c.link.select import cache_folder; print(cache_folder('zig'))"
    if home == "unset":  # as in a container that runs under a number that /etc/passwd does not know
        del env["HOME"]
        code = "import pwd; pwd.getpwuid = lambda uid: {}['no such user']; " + code
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(temporary / f"mnv2c-zig-{os.getuid()}"), done.stderr
    assert not (tmp_path / "~").exists()
