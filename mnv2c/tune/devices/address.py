"""The URL of a device, taken apart and checked: what is typed here ends up in commands."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from mnv2c.errors import UserError, nearest

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""Of users and hosts. None begins with a dash, which ssh would take for an option."""

SIX = re.compile(r"[0-9A-Fa-f:.]+(%[A-Za-z0-9_.-]+)?")
"""An IPv6 address; URLs have it in brackets."""

OPTIONS: dict[str, tuple[str, ...]] = {"emulator": ()}
"""Where they are others than ``core``."""

WORDS = ("local", "emulator")
"""Devices of this machine: a word, without a host."""

FORMS = {
    "local": "local or local?core=N",
    "emulator": "emulator; the CPU is that of --target",
    "ssh": "ssh://USER@HOST:PORT/FOLDER?core=N, of which only the host is needed",
    "adb": "adb://SERIAL/FOLDER?core=N; adb:// is the only phone",
    "rpc": "rpc://HOST:PORT/KEY?core=N, of which nothing is needed",
    "tracker": "tracker://HOST:PORT/KEY?core=N",
}
"""What the URL of each scheme looks like."""

MOST_DIGITS = 5
"""Of the number of a core."""

ANY_CORE = -1
"""What the measuring program is told where it shall not choose a core."""


@dataclass(frozen=True)
class Address:
    """The parts of ``scheme://user@host:port/path?core=N``; absent ones are empty or None.

    ``core`` is the CPU to run on, ``ANY_CORE`` for "any", None where nothing was said. ``path`` begins with a slash.
    """

    scheme: str
    host: str = ""
    user: str = ""
    port: int | None = None
    path: str = ""
    core: int | None = None

    @property
    def url(self) -> str:
        """For people and records: there is never a password in it."""
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host and self.scheme != "adb" else self.host
        port = f":{self.port}" if self.port is not None else ""
        core = {None: "", ANY_CORE: "?core=any"}.get(self.core, f"?core={self.core}")
        return f"{self.scheme}://{user}{host}{port}{self.path}{core}"


def read_address(url: str) -> Address:
    """Take a URL of ``FORMS`` apart; UserError, with the form, where it is none."""
    try:
        parts = urlsplit(url)
        form = FORMS[parts.scheme or parts.path]
    except (ValueError, KeyError):
        raise _wrong(url, "not the URL of a device") from None
    if (parts.scheme or parts.path) in WORDS:
        return _word(url, parts)
    if parts.password is not None:
        raise UserError(
            f'--device "{parts.scheme}://{parts.hostname}": no password in a URL, please: use a key (ssh-copy-id)'
        )
    if parts.fragment:
        raise _wrong(url, f'"#{parts.fragment}" means nothing')
    address = Address(parts.scheme, path=unquote(parts.path).rstrip("/"), core=_core(url, parts.query))
    if not address.path.isprintable():
        raise _wrong(url, "a folder of one line of printable characters is needed")
    if parts.scheme == "adb":  # A serial number may be HOST:PORT, so it stays in one piece.
        return (
            replace(address, host=_name(url, parts.netloc.replace(":", ""), parts.netloc)) if parts.netloc else address
        )
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _wrong(url, "a port is a number up to 65535") from None
    if not host and parts.scheme == "ssh":
        raise UserError(f'--device "{url}": which host? {form}')
    # urlsplit makes hosts lower case, but a Host entry of ssh's configuration may have capitals.
    start = parts.netloc.lower().rfind(host)
    host = parts.netloc[start : start + len(host)]
    address = replace(address, host=_host(url, host), port=port)
    return replace(address, user=_name(url, unquote(parts.username)) if parts.username else "")


def _word(url: str, parts: SplitResult) -> Address:
    word = parts.scheme or parts.path
    if parts.netloc or parts.fragment or parts.path not in ("", word):
        raise _wrong(url, "it is this machine, and nothing more can be said of it")
    return Address(word, core=_core(url, parts.query))


def _scheme(url: str) -> str:
    return re.split("[:?#]", url, maxsplit=1)[0]


def _core(url: str, query: str) -> int | None:
    given, known = dict(parse_qsl(query, keep_blank_values=True)), OPTIONS.get(_scheme(url), ("core",))
    for name in given:
        if name not in known:
            raise _wrong(url, f'unknown option "{name}"{nearest(name, known)}')
    core = given.get("core")
    if core is None or core == "any":
        return None if core is None else ANY_CORE
    if not (core.isascii() and core.isdigit() and len(core) <= MOST_DIGITS):
        raise _wrong(url, f'core "{core}" is neither a number nor "any"')
    return int(core)


def _host(url: str, host: str) -> str:
    return host if not host or SIX.fullmatch(host) else _name(url, host)


def _name(url: str, text: str, whole: str | None = None) -> str:
    if not NAME.fullmatch(text):
        raise _wrong(url, f'"{text}" is no name')
    return text if whole is None else whole


def _wrong(url: str, reason: str) -> UserError:
    scheme = _scheme(url)
    forms = [FORMS[scheme]] if scheme in FORMS else [form.split(",")[0] for form in FORMS.values()]
    return UserError(f'--device "{url}": {reason}; write {" or ".join(forms)}')
