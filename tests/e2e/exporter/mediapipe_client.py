"""Classifies images with MediaPipe Tasks, as any app would; run by the Python that has MediaPipe.

python mediapipe_client.py MODEL.tflite IMAGE...
"""

import json
import sys

import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision


def classify(model, image):
    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model))
    with vision.ImageClassifier.create_from_options(options) as classifier:
        result = classifier.classify(mp.Image.create_from_file(image))
    return [(entry.category_name, entry.score) for entry in result.classifications[0].categories]


json.dump([classify(sys.argv[1], image) for image in sys.argv[2:]], sys.stdout)
