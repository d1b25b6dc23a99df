#!/bin/sh
# Pillow 13.0.0 reads three kinds of 16-bit TIFF wrong, without an error or a warning.
#
# Colour planes stored apart and not compressed are read as if they had 8 bits: half of each row is shown, its low
# and high bytes in turn. Signed gray in a big-endian file that is compressed gets its bytes swapped: libtiff returns
# them in the machine's order, and Pillow swaps them again. Gray where 0 is white (WhiteIsZero) comes out as a
# negative, though the same file with 8 bits does not. OpenCV, libvips and tifffile read all three right.
#
# Met when TIFFs of microscopes and X-ray machines were classified. edge_runtime/image/tiff.py works around it.
#
# Output seen on 2026-11-29:
#
#   pillow 13.0.0
#   planes apart:             green of the middle pixel 4, stored 130
#   signed, big-endian, zip:  middle pixel 1089, stored 16644
#   white is 0:               left pixel 65535 of 65535, stored as black
#
# Ends with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    numpy==2.4.6 pillow==13.0.0 tifffile==2026.3.3
HOME="$folder" "$folder/venv/bin/python" - "$folder" <<'PROGRAM'
import sys

import numpy as np
import PIL
import tifffile
from PIL import Image

folder = sys.argv[1]
ramp = np.tile(np.linspace(0, 65535, 64).round().astype(np.uint16), (8, 1))


def read(name, array, **options):
    """What Pillow makes of an array that tifffile stores, and reads back as it was."""
    path = f"{folder}/{name}.tif"
    tifffile.imwrite(path, array, metadata=None, **options)
    assert np.array_equal(tifffile.imread(path), array)
    return np.asarray(Image.open(path))


apart = read("apart", np.stack([ramp] * 3), photometric="rgb", planarconfig="separate")
half = (ramp // 2).astype(">i2")
signed = read("signed", half, byteorder=">", photometric="minisblack", compression="zlib")
white = read("white", 65535 - ramp, photometric="miniswhite")
print(f"pillow {PIL.__version__}")
print(f"planes apart:             green of the middle pixel {apart[4, 32, 1]}, stored {ramp[4, 32] >> 8}")
print(f"signed, big-endian, zip:  middle pixel {signed[4, 32]}, stored {half[4, 32]}")
print("white is 0:               left pixel", white[4, 0], "of 65535, stored as black")
wrong = apart[4, 32, 1] != ramp[4, 32] >> 8 and signed[4, 32] != half[4, 32] and white[4, 0] == 65535
sys.exit(0 if wrong else "This has changed: see the head of the script.")
PROGRAM
