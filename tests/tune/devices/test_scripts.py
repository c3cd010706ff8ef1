"""What a board is told, with the name of a folder that tries to say more."""

import subprocess
from pathlib import Path

import pytest

from mnv2c.errors import UserError
from mnv2c.tune.devices import scripts
from mnv2c.tune.devices.address import read_address

HOSTILE = ("a; touch evil", "$(touch evil)", "`touch evil`", "a' ; touch evil ; '", 'a" ; touch evil ; "', "a\\", "a b",
           "*", "~", "-rf", "a&touch evil&", "a|touch evil", "${HOME}", "!!", "#")  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_folder_s_name_is_only_that(name: str, tmp_path: Path) -> None:
    parent = tmp_path / name
    folder = f"{parent}/{scripts.fresh_name()}"
    (tmp_path / "work").mkdir()

    def run(script: str, content: bytes = b"") -> str:
        done = subprocess.run(
            ["sh", "-c", scripts.marked(script)], input=content, cwd=tmp_path / "work", capture_output=True, check=True
        )
        assert done.stdout.endswith(b"\nmnv2c-status 0\n"), done
        return done.stdout.decode()

    run(scripts.make(folder))
    run(scripts.take(folder), b"#!/bin/sh\necho measured $1\n")
    assert "measured 3" in run(scripts.measure(folder, "3"))
    assert Path(folder).name in run(scripts.find(str(parent)))
    run(scripts.remove(folder))
    assert list(parent.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({name, "work"})
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "ssh://-oProxyCommand=evil/x", "ssh://u@-x/", "ssh://-u@host/", "ssh://a;b/", "ssh://a$(b)/", "ssh://h/a%0Ab",
        "ssh://h/%1b%5b2J", "ssh://h/a%00", "adb://-s/", "adb://a b/", "rpc://h;x:1/k", "local?core=" + "9" * 5000,
        "ssh://h:99999/", "ssh://[::1;x]/", "tracker://h/k?core=-1",
    ],
)  # fmt: skip
def test_urls_that_would_say_more_are_refused(url: str) -> None:
    with pytest.raises(UserError) as caught:
        read_address(url)
    assert len(str(caught.value)) < 1200
    assert str(caught.value).isprintable()
