"""Classifies images with ONNX Runtime and Pillow alone; all it knows is in the file.

python onnxruntime_client.py MODEL.onnx IMAGE...
"""

import ast
import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map
labels = json.loads(about["labels"])
height, width = json.loads(about["imgsz"])
answers = []
for path in sys.argv[2:]:
    image = Image.open(path).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=session.get_inputs()[0].type[7:-1].replace("float", "float32"))
    scores = session.run(["scores"], {"image": pixels[np.newaxis]})[0][0]
    answers.append([(labels[index], float(scores[index])) for index in np.argsort(-scores)])

ours = {"edge_runtime", "trainer", "exporter", "serverless", "phone", "cluster", "snapship"} & set(
    sys.modules
)
names = ast.literal_eval(about["names"])
json.dump({"about": about, "names": names, "answers": answers, "ours": sorted(ours)}, sys.stdout)
