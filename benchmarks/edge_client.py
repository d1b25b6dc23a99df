"""Answers photos as one of several ways would, in a process of its own; run as a file by any Python.

    python edge_client.py WAY MODEL PHOTO...          answers all photos for each line on stdin
    python edge_client.py WAY MODEL --once PHOTO      answers one and ends: a cold start

Ways: snapship (MODEL is BUNDLE:ARTIFACT), litert, tf.lite, onnxruntime, keras, mediapipe: what a
careful person writes by hand with that package. Each import is where its way begins, so that a cold
start pays for nothing else. Prints JSON: the seconds of each photo and the best class of each.
"""

from __future__ import annotations

import sys


def snapship(model):
    """This project's runtime."""
    from edge_runtime import Bundle, Classifier

    location, _, kind = model.rpartition(":")
    bundle = Bundle.open(location)
    classifier = Classifier(bundle, bundle.artifact(kind))
    return lambda photo: [entry.index for entry in classifier.classify(photo).predictions]


def litert(model):
    """LiteRT by hand."""
    from ai_edge_litert.interpreter import Interpreter

    return by_hand(Interpreter(model_path=model, num_threads=1))


def tflite(model):
    """TensorFlow's own interpreter by hand."""
    import tensorflow

    return by_hand(tensorflow.lite.Interpreter(model_path=model, num_threads=1))


def by_hand(interpreter):
    """Pillow, NumPy and an interpreter."""
    import numpy as np
    from PIL import Image

    interpreter.allocate_tensors()
    taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    height, width = taken["shape"][1:3]

    def answer(photo):
        with Image.open(photo) as opened:
            picture = opened.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        interpreter.set_tensor(taken["index"], np.asarray(picture, taken["dtype"])[np.newaxis])
        interpreter.invoke()
        scores = interpreter.get_tensor(given["index"])[0]
        return [int(index) for index in np.argsort(-scores)[:5]]

    return answer


def onnxruntime(model):
    """ONNX Runtime by hand, on one thread as the others."""
    import os

    import numpy as np

    # As snapship does: the time of its telemetry is not what is compared.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime as ort
    from PIL import Image

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    height, width = taken.shape[1:3]

    def answer(photo):
        with Image.open(photo) as opened:
            picture = opened.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        scores = session.run(None, {taken.name: np.asarray(picture, np.float32)[np.newaxis]})[0][0]
        return [int(index) for index in np.argsort(-scores)[:5]]

    return answer


def keras(model):
    """The full model's ``predict``."""
    import keras
    import numpy as np
    from PIL import Image

    net = keras.models.load_model(model)
    height, width = net.input_shape[1:3]

    def answer(photo):
        with Image.open(photo) as opened:
            picture = opened.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        scores = net.predict(np.asarray(picture, np.float32)[np.newaxis], verbose=0)[0]
        return [int(index) for index in np.argsort(-scores)[:5]]

    return answer


def mediapipe(model):
    """MediaPipe Tasks."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=model), max_results=5)
    classifier = vision.ImageClassifier.create_from_options(options)

    def answer(photo):
        found = classifier.classify(mp.Image.create_from_file(photo)).classifications[0].categories
        return [entry.index for entry in found]

    return answer


WAYS = {
    "snapship": snapship, "litert": litert, "tf.lite": tflite, "onnxruntime": onnxruntime, "keras": keras,
    "mediapipe": mediapipe,
}  # fmt: skip


def resident_bytes():
    """Memory in RAM, on Linux; 0 elsewhere."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * 4096
    except OSError:
        return 0


def main():
    """Answers as its words say."""
    way, model, *photos = sys.argv[1:]
    answer = WAYS[way](model)
    if photos[0] == "--once":
        loaded = resident_bytes()
        print(answer(photos[1])[0], loaded, flush=True)
        return
    import json
    import time

    for photo in photos[:3]:
        answer(photo)
    print("ready", flush=True)
    for _ in sys.stdin:
        seconds, best = [], []
        for photo in photos:
            before = time.perf_counter()
            found = answer(photo)
            seconds.append(time.perf_counter() - before)
            best.append(found[0])
        print(json.dumps({"seconds": seconds, "best": best}), flush=True)


if __name__ == "__main__":
    main()
