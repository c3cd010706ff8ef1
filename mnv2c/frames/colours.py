"""How luma and chroma become red, green and blue: the matrices of ITU-R BT.601 and BT.709, in both ranges."""

from __future__ import annotations

from mnv2c.frames.numbers import numbers

LUMA_OF_RED_AND_BLUE = {"BT601": (0.299, 0.114), "BT709": (0.2126, 0.0722)}
"""The share of red and of blue in luma, which define a matrix."""

RANGES = {"": (16.0, 219.0, 224.0), "_FULL": (0.0, 255.0, 255.0)}
"""Black, the steps from black to white, and the steps of chroma."""

Factors = tuple[float, float, float, float, float, float]


def factors(matrix: str, range_: str) -> Factors:
    """Black, the factor of luma, and of chroma: red of Cr, green of Cb and of Cr (both subtracted), blue of Cb."""
    red, blue = LUMA_OF_RED_AND_BLUE[matrix]
    black, luma, chroma = RANGES[range_]
    green = 1 - red - blue
    of_cr, of_cb = 2 * (1 - red) * 255 / chroma, 2 * (1 - blue) * 255 / chroma
    return black, 255 / luma, of_cr, of_cb * blue / green, of_cr * red / green, of_cb


def yuv_table() -> str:
    """The rows of the C table, in the order of ``NAME_yuv``."""
    rows = [(f"{matrix}{range_}", factors(matrix, range_)) for matrix in LUMA_OF_RED_AND_BLUE for range_ in RANGES]
    return "\n".join(f"    {{{numbers(values)}}}, /* {title} */" for title, values in rows)
