"""MediaPipe's scores of photos, in a process of its own; run as a file by a Python that has MediaPipe.

python phone_mediapipe.py MODEL PHOTO...    prints JSON: per photo, pairs of index and score
"""

from __future__ import annotations

import json
import sys

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from PIL import Image


def main() -> None:
    """Answers every photo, decoded to RGB: a gray file raises otherwise."""
    options = vision.ImageClassifierOptions(
        base_options=BaseOptions(model_asset_path=sys.argv[1]), max_results=-1
    )
    classifier = vision.ImageClassifier.create_from_options(options)
    found = []
    for photo in sys.argv[2:]:
        with Image.open(photo) as opened:
            pixels = np.ascontiguousarray(np.asarray(opened.convert("RGB")))
        answer = classifier.classify(mp.Image(image_format=mp.ImageFormat.SRGB, data=pixels))
        found.append([(entry.index, entry.score) for entry in answer.classifications[0].categories])
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
