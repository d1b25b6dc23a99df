"""Draws the icons of the phone app: ``python tests/data/make_phone_icons.py`` writes phone/web/icons/.

The sign is the page's logo, bars as of an answer. A maskable icon keeps it inside the circle that
every launcher leaves visible (80 % of the side), and its colour reaches the edges.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

BLUE = (47, 98, 201)
WHITE = (255, 255, 255)
BARS = ((9, 10.5), (16, 16.0), (6, 21.5))
"""Of a square of 32: a bar's length and its height in it."""
OVERSAMPLING = 8
FOLDER = Path(__file__).parents[2] / "phone" / "web" / "icons"


def icon(side: int, *, corner: float, scale: float) -> Image.Image:
    """Draws an icon.

    Args:
        side: In pixels.
        corner: Radius of the corners, as a share of the side; 0 fills the square.
        scale: Of the bars: 1 as in the logo.

    Returns:
        RGBA, or RGB without rounded corners.
    """
    large = side * OVERSAMPLING
    picture = Image.new("RGBA", (large, large), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((0, 0, large - 1, large - 1), corner * large, fill=BLUE)
    unit = large / 32 * scale
    middle = large / 2
    for length, y in BARS:
        left = middle - 8 * unit
        top = middle + (y - 16) * unit
        draw.rounded_rectangle(
            (left - 1.5 * unit, top - 1.5 * unit, left + (length + 1.5) * unit, top + 1.5 * unit),
            1.5 * unit,
            fill=WHITE,
        )
    small = picture.resize((side, side), Image.Resampling.LANCZOS)
    return small if corner else small.convert("RGB")


def main() -> None:
    """Writes the four files."""
    for name, side, corner, scale in (
        ("icon-192.png", 192, 0.23, 1.05),
        ("icon-512.png", 512, 0.23, 1.05),
        ("maskable-512.png", 512, 0.0, 0.9),
        ("apple-touch-180.png", 180, 0.0, 1.0),
    ):
        icon(side, corner=corner, scale=scale).quantize(64).save(FOLDER / name, optimize=True)


if __name__ == "__main__":
    main()
