"""What boards say of themselves."""

import pytest

from mnv2c.tune.devices.address import ANY_CORE
from mnv2c.tune.devices.base import Machine
from mnv2c.tune.devices.facts import Facts, read_cores, read_facts


def test_a_board() -> None:
    text = "machine=aarch64\nsystem=Linux 6.6.20\nonline=0-3\nboard=Raspberry Pi 4 Model B\n" + "part=0xd08\n" * 4
    machine = Machine("Raspberry Pi 4 Model B, CPU part 0xd08", 4, "Linux 6.6.20")
    assert read_facts(text) == Facts("aarch64", 3, machine)


def test_a_phone() -> None:
    text = (
        "machine=aarch64\r\nonline=0-7\r\nboard=\r\nandroid=Google\r\nandroid=Pixel 8\r\npart=0xd46\r\npart=0xd4d\r\n"
    )
    assert read_facts(text) == Facts("aarch64", 7, Machine("Google Pixel 8, CPU part 0xd46, 0xd4d", 8))


def test_a_board_that_says_nothing() -> None:
    assert read_facts("Welcome!\nonline=\n") == Facts("", ANY_CORE, Machine("", 0))


@pytest.mark.parametrize(("text", "cores"), [("0-1,4-5\n", [0, 1, 4, 5]), ("0", [0]), ("", []), ("x-y", [])])
def test_lists_of_cores(text: str, cores: list[int]) -> None:
    assert read_cores(text) == cores
