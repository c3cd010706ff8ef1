"""A plan for people: the frontier drawn with characters, and a page that needs nothing else."""

from mnv2c.report.plan.page import page
from mnv2c.report.plan.terminal import draw

__all__ = ["draw", "page"]
