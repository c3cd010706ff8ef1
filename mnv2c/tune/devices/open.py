"""A device by its URL."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from mnv2c.errors import UserError, nearest

if TYPE_CHECKING:
    from mnv2c.targets import Target
    from mnv2c.tune.devices.base import Device

SCHEMES = {
    "local": "local",
    "emulator": "emulator",
    "ssh": "ssh",
    "adb": "adb",
    "rpc": "rpc",
    "tracker": "tracker",
}
"""The module of each scheme; its function ``open_url(url, target, threads, allow_rpc)`` makes the device."""

EXAMPLES = "local, emulator, ssh://user@host, adb://SERIAL, rpc://host:port or tracker://host:port/key"


class _Opener(Protocol):
    def __call__(self, url: str, target: Target, *, threads: int, allow_rpc: bool) -> Device: ...


def open_device(url: str, target: Target, *, threads: int = 1, allow_rpc: bool = False) -> Device:
    """The device that ``url`` names, for candidates of ``target``; it is connected to where it is used as a context.

    ``threads`` share the parts of a candidate. ``allow_rpc`` is the user's word for devices that run code for whoever
    asks. UserError for an unknown scheme or option, DeviceError where the device cannot run the target's code.
    """
    scheme = url.partition(":")[0].partition("?")[0]
    if scheme not in SCHEMES:
        raise UserError(f'--device "{url}": unknown{nearest(scheme, SCHEMES)}; use {EXAMPLES}')
    module = import_module(f"mnv2c.tune.devices.{SCHEMES[scheme]}")
    opener = cast(_Opener, module.open_url)
    return opener(url, target, threads=threads, allow_rpc=allow_rpc)
