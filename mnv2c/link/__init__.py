"""Linking: sources and objects into a shared and a static library, through zig or a C compiler."""

from mnv2c.link.linker import Linked, Linker
from mnv2c.link.select import select_linker

__all__ = ["Linked", "Linker", "select_linker"]
