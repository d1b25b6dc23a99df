#!/bin/sh
# Keras 3.15.1 opens a file of Keras 2 with the activation hard_sigmoid without a word, and computes another function.
#
# Keras 2 (TensorFlow up to 2.15) has hard_sigmoid(x) = clip(0.2 x + 0.5, 0, 1), Keras 3 relu6(x + 3) / 6, whose
# slope is 1/6. A file holds the name alone, and its version of Keras is not looked at: the same weights give other
# answers, up to 0.083 apart in each such layer. LSTM, GRU and ConvLSTM layers of old files have it as
# recurrent_activation.
#
# Met when model files of Keras 2 were opened and compared with what they answered there. exporter/common/keras2.py refuses
# them.
#
# Output seen on 2026-11-29:
#
#   keras 2.15.0 wrote h(-2) = 0.1000, h(1) = 0.7000
#   keras 3.15.1 reads h(-2) = 0.1667, h(1) = 0.6667
#
# Ends with 0 while that is so, and with 1 when it has changed. Needs Python 3.9 to 3.11, for TensorFlow 2.15.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in two three; do
    "${PYTHON:-python3.11}" -m venv "$folder/$name"
done
export PIP_DISABLE_PIP_VERSION_CHECK=1 TF_CPP_MIN_LOG_LEVEL=3 HOME="$folder"
"$folder/two/bin/python" -m pip install --quiet tensorflow-cpu==2.15.1
"$folder/three/bin/python" -m pip install --quiet keras==3.15.1 numpy==2.4.6 h5py==3.14.0 jax==0.10.2
"$folder/two/bin/python" - "$folder/model.h5" 2>/dev/null <<'PROGRAM'
import sys

import keras
import numpy as np

model = keras.Sequential([keras.Input((1,)), keras.layers.Activation("hard_sigmoid")])
model.save(sys.argv[1])
low, high = np.asarray(model(np.array([[-2.0], [1.0]], np.float32)))[:, 0]
print(f"keras {keras.__version__} wrote h(-2) = {low:.4f}, h(1) = {high:.4f}")
PROGRAM
KERAS_BACKEND=jax "$folder/three/bin/python" - "$folder/model.h5" <<'PROGRAM'
import sys

import keras
import numpy as np

model = keras.models.load_model(sys.argv[1], compile=False)
low, high = np.asarray(model(np.array([[-2.0], [1.0]], np.float32)))[:, 0]
print(f"keras {keras.__version__} reads h(-2) = {low:.4f}, h(1) = {high:.4f}")
sys.exit(not (abs(low - 1 / 6) < 1e-4 and abs(high - 2 / 3) < 1e-4))
PROGRAM
