"""What workers share is made once, whole, and again after a failure."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sharing import once


def test_the_first_makes_it_and_the_others_wait(tmp_path_factory: pytest.TempPathFactory) -> None:
    begun: list[Path] = []

    def make(folder: Path) -> Path:
        begun.append(folder)
        time.sleep(0.05)
        (folder / "made").write_text("whole")
        return folder / "made"

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: once(tmp_path_factory, "first_of_four", make).read_text(), range(4)))
    assert found == ["whole"] * 4
    assert len(begun) == 1


def test_what_fails_is_made_anew(tmp_path_factory: pytest.TempPathFactory) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        once(tmp_path_factory, "fails_at_first", fail)
    assert once(tmp_path_factory, "fails_at_first", lambda folder: list(folder.iterdir())) == []
