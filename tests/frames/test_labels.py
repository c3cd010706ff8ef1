"""Names of classes from a file, for the library and for ``mnv2c run``."""

from pathlib import Path

import pytest

from mnv2c.errors import UserError
from mnv2c.frames.labels import MOST_CHARACTERS, by_class, read_labels


def test_lines_are_labels(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes("\ufeffcat \r\n\r\nKäse\n".encode())
    assert read_labels(tmp_path / "labels.txt") == ("cat", "", "Käse")
    (tmp_path / "labels.txt").write_bytes(b"n01440764\ttench\n")
    assert read_labels(tmp_path / "labels.txt") == ("n01440764 tench",)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"a\0b", b"a\x1b[2Jb", b"a" * (MOST_CHARACTERS + 1), b"a" * (8 * MOST_CHARACTERS)]
)
def test_what_is_no_list_of_labels(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"labels\.txt: .*labels"):
        read_labels(tmp_path / "labels.txt")
    with pytest.raises(UserError, match="cannot read the labels"):
        read_labels(tmp_path)


def test_a_list_without_the_background_gets_one() -> None:
    assert by_class(("a", "b"), 3, 1) == ("background", "a", "b")
    assert by_class(("a", "b", "c"), 3, 1) == ("a", "b", "c")
    assert by_class(("a",), 3, 1) == ("a",)
    assert by_class(("a", "b"), 2, 0) == ("a", "b")
