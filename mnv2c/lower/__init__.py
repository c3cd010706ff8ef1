"""Reads the fused Relax module: every fused function becomes a chain of stages, the rest a fallback."""
