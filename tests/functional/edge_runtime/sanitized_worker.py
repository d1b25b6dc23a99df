"""Hammers the compiled part with sizes, parts and scores of all kinds; run with a sanitizer loaded.

    python sanitized_worker.py FOLDER SECONDS

FOLDER holds _native.abi3.so. Imports nothing that a sanitizer would watch without need.
"""

from __future__ import annotations

import random
import sys
import time
from array import array

sys.path.insert(0, sys.argv[1])
import _native


def resized(random_: random.Random) -> None:
    """One resize of a picture whose memory ends with its last pixel."""
    width, height, to_width, to_height = (random_.choice((1, 2, 3, 7, 40, 131)) for _ in range(4))
    picture = array("B", random_.randbytes(4 * width * height))
    left, top = random_.random() * (width - 1), random_.random() * (height - 1)
    box = random_.choice(((0, 0, width, height), (left, top, width, height), (left, top, left + 1, top + 1)))
    out = bytearray(3 * to_width * to_height)
    _native.resize(picture, (width, height), out, (to_width, to_height), box, random_.random() < 0.3)


def sampled(random_: random.Random) -> None:
    """One resize without antialiasing, of a picture whose memory ends with its last pixel."""
    each, kept = random_.choice(((4, 3), (1, 1)))
    width, height, to_width, to_height = (random_.choice((1, 2, 3, 7, 40, 131)) for _ in range(4))
    picture = array("B", random_.randbytes(each * width * height))
    taps = []
    for pixels, count in ((width, to_width), (height, to_height)):
        side = array("i")
        for _ in range(count):
            first, weight = random_.randrange(pixels), random_.choice((0, 1, 1000, 2048))
            side.extend((first, weight if first + 1 < pixels else 0))
        taps.append(side)
    if random_.random() < 0.1:
        # The last pixel has no next one: refused, or a byte too far.
        taps[random_.randrange(2)][-2:] = array("i", (max(width, height) - 1, 1))
    try:
        out = bytearray(kept * to_width * to_height)
        _native.bilinear(picture, (width, height), each, out, *taps)
    except ValueError:
        return


def refused(random_: random.Random) -> None:
    """A call with lengths and parts that do not fit."""
    numbers = [random_.choice((-1, 0, 1, 3, 4, 70_000, 2**31 - 1)) for _ in range(4)]
    box = [random_.choice((-1.0, 0.0, 0.5, 4.0, 1e30, float("inf"), float("nan"))) for _ in range(4)]
    try:
        _native.resize(bytes(64), tuple(numbers[:2]), bytearray(12), tuple(numbers[2:]), tuple(box))
    except ValueError:
        return


def ranked(random_: random.Random) -> None:
    """Scores with ties and without numbers."""
    scores = array(
        "f", [random_.choice((0.0, 0.5, 1.0, random_.random())) for _ in range(random_.randrange(40))]
    )
    if random_.random() < 0.2:
        scores.append(float("nan"))
    _native.best(scores, random_.choice((1, 2, 5, 39, 40, 1000)))


def main() -> None:
    """Runs until the time is over; a sanitizer ends the process at its first finding."""
    random_ = random.Random(0)
    end = time.monotonic() + float(sys.argv[2])
    calls = 0
    while time.monotonic() < end:
        for attempt in (resized, sampled, refused, ranked):
            attempt(random_)
            calls += 1
    print(calls)


main()
