"""Relax to Relax, one pass per file; the order stands in `mnv2c.to_relax.phases`."""
