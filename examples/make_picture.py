"""Draws examples/picture.png, the picture that `make demo` classifies: a small scene, the same bytes every time."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 320, 240
HORIZON = 150
SKY = ((70, 120, 200), (245, 205, 160))
SEA = ((30, 80, 120), (15, 40, 80))
Colour = tuple[int, int, int]


def blend(ends: tuple[Colour, Colour], share: float) -> Colour:
    """Return the colour at ``share`` (0 to 1) of the way between two others."""
    red, green, blue = (round(first + (last - first) * share) for first, last in zip(*ends, strict=True))
    return red, green, blue


def draw_scene() -> Image.Image:
    """Return a sailing boat before a low sun, WIDTH x HEIGHT in RGB."""
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(picture)
    for y in range(HEIGHT):
        above = y < HORIZON
        colour = blend(SKY, y / HORIZON) if above else blend(SEA, (y - HORIZON) / (HEIGHT - HORIZON))
        draw.line((0, y, WIDTH, y), fill=colour)
    draw.ellipse((222, 88, 278, 144), fill=(255, 235, 170))
    draw.polygon(((0, HORIZON), (60, 105), (125, HORIZON)), fill=(70, 85, 105))
    draw.polygon(((80, HORIZON), (135, 122), (190, HORIZON)), fill=(85, 100, 120))
    for y in range(HORIZON + 3, HEIGHT, 6):  # the sun's reflection
        half = 26 - abs(y * 7 % 23 - 11)
        draw.line((250 - half, y, 250 + half, y), fill=(225, 190, 140))
    draw.polygon(((92, 178), (202, 178), (184, 200), (110, 200)), fill=(120, 50, 35))
    draw.line((148, 60, 148, 178), fill=(60, 45, 35), width=3)
    draw.polygon(((152, 64), (152, 168), (206, 168)), fill=(245, 240, 228))
    draw.polygon(((144, 76), (144, 168), (104, 168)), fill=(225, 215, 200))
    draw.polygon(((148, 60), (148, 70), (166, 65)), fill=(200, 40, 40))
    return picture


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("picture.png")
    draw_scene().save(target, optimize=True)
