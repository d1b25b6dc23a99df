"""Lets Pillow keep a few blocks of image memory instead of freeing them after each image.

Each page of fresh memory causes a page fault: for a 320x240 photo, that costs as much as a third
of decoding and resizing it.
"""

from __future__ import annotations

import os

from PIL import _imaging

KEPT_BLOCKS = 4
"""Blocks of 1 MiB (Pillow's size): the photo, the two passes of its resize, and one more."""


def keep_blocks() -> None:
    """Sets :data:`KEPT_BLOCKS`, unless this process or its environment already set a number.

    Pillow documents the setting as ``PILLOW_BLOCKS_MAX``; pixels do not change.
    """
    if "PILLOW_BLOCKS_MAX" in os.environ:
        return
    # A Pillow without this allocator.
    if getattr(_imaging, "get_blocks_max", lambda: None)() == 0:
        _imaging.set_blocks_max(KEPT_BLOCKS)
