"""The output folder: everything or nothing."""

import os
from pathlib import Path

import pytest

from mnv2c import package
from mnv2c.errors import OutputError
from mnv2c.package import Symlink


def files(tmp_path: Path) -> dict[str, bytes | str | Path | Symlink]:
    (tmp_path / "source").write_bytes(b"copied")
    return {"a.so.1": b"\0\1", "a.so": Symlink("a.so.1"), "a.json": "text ü\n", "copy": tmp_path / "source"}


def test_every_kind_of_content(tmp_path: Path) -> None:
    output = tmp_path / "new" / "folder"
    package.write(output, files(tmp_path))
    assert sorted(path.name for path in output.iterdir()) == ["a.json", "a.so", "a.so.1", "copy"]
    assert (output / "a.so").is_symlink()
    assert (output / "a.so").read_bytes() == b"\0\1"
    assert (output / "a.json").read_text(encoding="utf-8") == "text ü\n"
    assert (output / "copy").read_bytes() == b"copied"


def test_files_are_replaced_and_others_stay(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "other").write_text("mine")
    (output / "a.json").write_text("old")
    with (output / "a.json").open() as reader:  # which keeps its inode from being given to another file
        package.write(output, files(tmp_path))
        package.write(output, files(tmp_path))
        assert reader.read() == "old"
        assert not os.path.samestat(os.fstat(reader.fileno()), (output / "a.json").stat())
    assert (output / "other").read_text() == "mine"
    assert len(list(output.iterdir())) == 5


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        package.write(tmp_path / "out", {"a": b"x"})
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out" / "a").stat().st_mode & 0o777 == 0o644


def test_nothing_is_written_if_one_file_fails(tmp_path: Path) -> None:
    output = tmp_path / "out"
    output.mkdir()
    (output / "a").write_text("old")
    with pytest.raises(OutputError, match="absent: cannot be written"):
        package.write(output, {"a": b"new", "b": tmp_path / "absent"})
    assert [path.name for path in output.iterdir()] == ["a"]
    assert (output / "a").read_text() == "old"
    with pytest.raises(OutputError):
        package.write(tmp_path / "new", {"a": b"new", "b": tmp_path / "absent"})
    assert not (tmp_path / "new").exists()


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    package.check_writable(tmp_path / "not" / "yet")
    package.check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", [package.check_writable, lambda path: package.write(path, {"a": b""})])
def test_unwritable_folders(call: object, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cases = {tmp_path / "file": "is a file", tmp_path / "file" / "below": "is not a folder"}
    if Path("/proc/self").exists():
        cases[Path("/proc/self/out")] = "cannot be written"
    for path, message in cases.items():
        with pytest.raises(OutputError, match=message) as caught:
            call(path)  # type: ignore[operator]
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o555)
    with pytest.raises(OutputError, match="cannot be written: Permission denied"):
        package.check_writable(tmp_path / "out")
