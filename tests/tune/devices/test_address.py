"""The URLs of devices: what they mean, and what is refused before any command sees it."""

import pytest

from mnv2c.errors import UserError
from mnv2c.tune.devices.address import ANY_CORE, Address, read_address


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ssh://pi", Address("ssh", "pi")),
        ("ssh://Me@Pi4:2222/var/tmp?core=3", Address("ssh", "Pi4", "Me", 2222, "/var/tmp", 3)),
        ("ssh://[fe80::1%25eth0]:22", Address("ssh", "fe80::1%25eth0", "", 22)),
        ("adb://", Address("adb")),
        ("adb://R58M123ABC/sdcard", Address("adb", "R58M123ABC", path="/sdcard")),
        ("adb://192.168.0.7:5555?core=any", Address("adb", "192.168.0.7:5555", core=ANY_CORE)),
        ("rpc://:9090", Address("rpc", port=9090)),
        ("tracker://127.0.0.1:9190/pi4", Address("tracker", "127.0.0.1", port=9190, path="/pi4")),
    ],
)
def test_parts(url: str, address: Address) -> None:
    assert read_address(url) == address
    assert address.url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ssh://", "which host"),
        ("ssh://pi:port", "a port is a number"),
        ("ssh://pi:70000", "a port is a number"),
        ("ssh://-oProxyCommand=sh", "is no name"),
        ("ssh://-l@pi", "is no name"),
        ("ssh://a b@pi", "is no name"),
        ("ssh://pi?cores=3", 'did you mean "core"'),
        ("ssh://pi?core=-2", "neither a number"),
        ("ssh://pi#x", "means nothing"),
        ("ssh://pi/a%0Ab", "one line"),
        ("adb://-a", "is no name"),
        ("telnet://pi", "not the URL of a device"),
    ],
)
def test_refusals(url: str, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        read_address(url)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError, match="use a key") as caught:
        read_address("ssh://me:secret@pi")
    assert "secret" not in str(caught.value)
