"""Relax to Relax, one pass per file; the order stands in `mnv2c.passes.order`."""
