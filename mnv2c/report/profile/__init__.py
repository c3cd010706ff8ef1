"""A profile as one HTML page that needs nothing else: times, roofline, memory map."""

from mnv2c.report.profile.page import page

__all__ = ["page"]
