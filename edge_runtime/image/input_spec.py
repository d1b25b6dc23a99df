"""The model's input: size, channels, fit and resize."""

from typing import Literal

import msgspec

Fit = Literal["stretch", "crop"]
"""How an image is fitted to the input's size.

``stretch`` resizes both sides; ``crop`` resizes the short side and crops the centre.
"""

_STRETCH: Fit = "stretch"

Resize = Literal["antialiased", "plain"]
"""How pixels are interpolated.

``antialiased`` averages all source pixels, as this project's trainer does (Pillow's bilinear filter);
``plain`` uses four source pixels each, as ``tf.image.resize`` and Keras' own loaders do.
"""


class InputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The input of every artifact of a bundle.

    Attributes:
        height: Rows of the input, in pixels.
        width: Columns of the input, in pixels.
        channels: 3 for RGB, 1 for grayscale (ITU-R 601-2 luma).
        fit: ``stretch`` or ``crop``.
        resize: ``antialiased`` or ``plain``. Written only if it is ``plain``: a runtime that does not
            know the field rejects such a bundle, and reads all others as before.
    """

    height: int
    width: int
    # msgspec always writes the value of a default factory.
    channels: int = msgspec.field(default_factory=lambda: 3)
    fit: Fit = msgspec.field(default_factory=lambda: _STRETCH)
    resize: Resize = "antialiased"

    def __post_init__(self) -> None:
        if not (1 <= self.height <= 8192 and 1 <= self.width <= 8192):
            raise ValueError(
                f"height and width must be 1 to 8192 pixels. Received: {self.height}x{self.width}"
            )
        if self.channels not in (1, 3):
            raise ValueError(f"channels must be 1 or 3. Received: {self.channels}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels
