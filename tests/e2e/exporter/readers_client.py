"""Opens a model in an engine or a tool of another maker; run by the Python that has them.

python readers_client.py tract MODEL.onnx PIXELS.npy SCORES.npy
python readers_client.py ncnn MODEL.onnx PIXELS.npy SCORES.npy
python readers_client.py openvino MODEL.onnx|MODEL.tflite PIXELS.npy SCORES.npy
python readers_client.py quantizer MODEL.tflite PIXELS.npy QUANTIZED.tflite

PIXELS are uint8 ``[images, height, width, 3]``, SCORES float32 ``[images, classes]``.
"""

import os
import subprocess
import sys
import tempfile
from importlib.metadata import files

import numpy as np


def tract(model, pixels):
    """tract, told that there is one image at a time, as an app on a device would."""
    import tract

    loaded = tract.onnx().load(model)
    dtype, short = (np.uint8, "u8") if str(loaded.input_fact(0)).endswith("u8") else (np.float32, "f32")
    loaded.set_input_fact(0, ",".join(map(str, (1, *pixels.shape[1:], short))))
    runnable = loaded.into_model().into_runnable()
    return [runnable.run([image[np.newaxis].astype(dtype)])[0].to_numpy()[0] for image in pixels]


def ncnn(model, pixels):
    """ncnn, on what its converter pnnx makes of the file."""
    import ncnn

    # The program itself: the command of that name is a script that imports torch.
    pnnx = next(str(file.locate()) for file in files("pnnx") if str(file) == "pnnx/pnnx")
    os.chmod(pnnx, 0o755)
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "model.onnx")
        os.symlink(os.path.abspath(model), copy)
        shape = ",".join(map(str, (1, *pixels.shape[1:])))
        words = [pnnx, copy, f"inputshape=[{shape}]f32", "fp16=0"]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        net = ncnn.Net()
        # In float32 on every CPU: some have fast kernels in half precision, which it takes by itself.
        for option in ("packed", "storage", "arithmetic"):
            setattr(net.opt, f"use_fp16_{option}", False)
        net.opt.use_bf16_storage = False
        if net.load_param(os.path.join(folder, "model.ncnn.param")):
            sys.exit("ncnn does not know a layer of the model")
        net.load_model(os.path.join(folder, "model.ncnn.bin"))
    scores = []
    for image in pixels:
        extractor = net.create_extractor()
        # A Mat and an array of it share memory that only a named one keeps.
        taken = image.astype(np.float32)
        extractor.input("in0", ncnn.Mat(taken).clone())
        _, given = extractor.extract("out0")
        scores.append(np.array(given).copy())
    return scores


def openvino(model, pixels):
    """OpenVINO, in float32 on every CPU."""
    import openvino

    # Some CPUs have fast kernels in bfloat16, which it takes by itself.
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", exact)
    dtype = compiled.input(0).get_element_type().to_dtype()
    return [next(iter(compiled(image[np.newaxis].astype(dtype)).values()))[0] for image in pixels]


def quantizer(model, pixels, target):
    """LiteRT's quantizer, which runs the model by its signature to calibrate it."""
    from litert_quantizer import quantizer, recipe

    tool = quantizer.Quantizer(model)
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    batches = [{"image": image[np.newaxis].astype(np.float32)} for image in pixels]
    tool.quantize(tool.calibrate({"serving_default": batches})).export_model(target, overwrite=True)


reader, model, pixels_file, target = sys.argv[1:]
if reader == "quantizer":
    quantizer(model, np.load(pixels_file), target)
else:
    np.save(
        target,
        np.stack({"tract": tract, "ncnn": ncnn, "openvino": openvino}[reader](model, np.load(pixels_file))),
    )
