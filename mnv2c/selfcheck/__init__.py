"""Checks a linked library before it is published: it runs once, and every output must be the reference's."""

from mnv2c.selfcheck.check import Check, check_library
from mnv2c.selfcheck.reference import Reference

__all__ = ["Check", "Reference", "check_library"]
