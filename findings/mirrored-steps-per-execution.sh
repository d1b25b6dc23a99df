#!/bin/sh
# Keras 3.15.1 on TensorFlow 2.21.0: under tf.distribute.MirroredStrategy, fit() fails with steps_per_execution above 1,
# whatever the model. The error names a placeholder of a loop that Keras builds ("You must feed a value for placeholder
# tensor ... while/cond/Placeholder_1"), and neither the strategy nor the option. With 1, the same program trains.
#
# Met when `snapship train --distributed 2` ran on TensorFlow: a single device runs up to eight small steps at a time.
# trainer/fit/phase.py runs one where there are several.
#
# The input is a dense layer on ones, on two halves of the CPU. Output seen on 2026-11-30:
#
#   steps_per_execution 1: trains
#   steps_per_execution 2: InvalidArgumentError
#
# Ends with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check keras==3.15.1 tensorflow==2.21.0
cat >"$folder/program.py" <<'PROGRAM'
import numpy as np
import tensorflow as tf

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras

inputs, targets = np.ones((32, 4), "float32"), np.ones((32, 2), "float32")
found = []
for steps in (1, 2):
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        model.compile("sgd", "mse", steps_per_execution=steps, jit_compile=False)
        try:
            model.fit(inputs, targets, batch_size=8, verbose=0)
            found.append("trains")
        except Exception as error:
            found.append(type(error).__name__)
    print(f"steps_per_execution {steps}: {found[-1]}", flush=True)
raise SystemExit(found != ["trains", "InvalidArgumentError"])
PROGRAM
"$folder/venv/bin/python" "$folder/program.py" 2>"$folder/stderr"
