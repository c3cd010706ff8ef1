"""Data folders and templates."""

from pathlib import Path

import pytest

from mnv2c.common import data
from mnv2c.errors import CompilerError


def test_targets_are_found() -> None:
    assert (data.folder("targets") / "host.toml").is_file()


def test_package_data_comes_before_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel, repository = tmp_path / "wheel", tmp_path / "repository"
    (repository / "targets").mkdir(parents=True)
    monkeypatch.setattr(data, "PLACES", (wheel, repository))
    assert data.folder("targets") == repository / "targets"
    (wheel / "targets").mkdir(parents=True)
    assert data.folder("targets") == wheel / "targets"


def test_a_missing_folder_is_reported() -> None:
    with pytest.raises(CompilerError, match="nothing/: not part of this installation; looked in"):
        data.folder("nothing")


def test_templates(tmp_path: Path) -> None:
    template = tmp_path / "x.c.in"
    template.write_text("@{name} $x @{NAME}\n")
    assert data.fill(template, name="a", NAME="A") == "a $x A\n"
    with pytest.raises(KeyError, match="NAME"):
        data.fill(template, name="a")
