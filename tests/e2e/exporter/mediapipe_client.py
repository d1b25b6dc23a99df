"""Classifies images with MediaPipe Tasks, as any app would; run by the Python that has MediaPipe.

python mediapipe_client.py classify MODEL.tflite WIDTH HEIGHT stretch|crop IMAGE...
python mediapipe_client.py pixels FILE.npy WIDTH HEIGHT stretch|crop IMAGE...
"""

import json
import sys

import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from PIL import Image, ImageOps


def pixels(path, width, height, crop=False):
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    wide, high = image.size
    if crop:
        wide, high = min(wide, high * width / height), min(high, wide * height / width)
    left, top = (image.width - wide) / 2, (image.height - high) / 2
    # Along the rows first, as in training: in one step, Pillow 13 may start with the columns.
    bilinear, all_rows = Image.Resampling.BILINEAR, (left, 0, left + wide, image.height)
    narrow = image.resize((width, image.height), bilinear, all_rows)
    return np.asarray(narrow.resize((width, height), bilinear, (0, top, width, top + high)))


def classify(model, images):
    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
    answers = []
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for image in images:
            result = classifier.classify(mp.Image(image_format=mp.ImageFormat.SRGB, data=image))
            best = result.classifications[0].categories
            answers.append([(category.category_name, category.score) for category in best])
    return answers


what, file, width, height, fit, *images = sys.argv[1:]
taken = [pixels(image, int(width), int(height), fit == "crop") for image in images]
if what == "pixels":
    np.save(file, np.stack(taken))
else:
    json.dump(classify(file, taken), sys.stdout)
