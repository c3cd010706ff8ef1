"""From fused functions to chains of row stages, buffers at arena offsets, and a program of kernel calls."""
