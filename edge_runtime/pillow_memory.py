"""Keeps a few blocks of Pillow's image memory instead of giving each back after each image.

Fresh memory from the system is empty pages, each a page fault at its first byte: on a
320x240 photo that costs as much as a third of decoding and resizing it.
"""

from __future__ import annotations

import os

from PIL import _imaging

KEPT_BLOCKS = 4
"""Blocks of 1 MiB (Pillow's own size): the photo, the two passes of its resize, and one more."""


def keep_blocks() -> None:
    """Lets Pillow keep :data:`KEPT_BLOCKS`, unless this process or its environment chose a number.

    Pillow documents the setting as ``PILLOW_BLOCKS_MAX``; it changes no pixel.
    """
    if "PILLOW_BLOCKS_MAX" in os.environ:
        return
    # A Pillow without this allocator has nothing to keep.
    if getattr(_imaging, "get_blocks_max", lambda: None)() == 0:
        _imaging.set_blocks_max(KEPT_BLOCKS)
