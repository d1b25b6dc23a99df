"""Core ML artifacts, for iPhone and Mac: an image in, a label and scores out.

Conversion runs anywhere, but the model only on macOS and iOS, so its answers are not checked here.
"""

from __future__ import annotations

import io
import logging
import warnings

from edge_runtime.common.errors import EnvironmentMissingError, first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.common.temporary import temporary_folder
from exporter.bundle.bundle_files import write_zip
from exporter.common.backend import load_tensorflow
from exporter.common.wording import conversion_error
from exporter.formats.flatbuffer import INPUT_NAME
from exporter.source.full_model import FullModel, freeze


def convert_coreml(model: FullModel, labels: tuple[str, ...], name: str = "model") -> bytes:
    """Converts the full model to an ML program for iOS 15 and macOS 12.

    Args:
        model: The full model.
        labels: Class names in the order of the scores.
        name: Name of the package in the zip.

    Returns:
        A zip of ``NAME.mlpackage``: an RGB or gray image in, raw pixels; ``classLabel`` and
        its scores out, computed in float16.

    Raises:
        EnvironmentMissingError: coremltools is not installed.
        ModelFileError: It refuses the model.
    """
    load_tensorflow()
    try:
        # It warns about every TensorFlow newer than the one it was tested with.
        logging.getLogger("coremltools").setLevel(logging.ERROR)
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import coremltools
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Writing a Core ML model", "coremltools", "coreml") from error
    frozen = freeze(model)
    layout = coremltools.colorlayout.RGB if model.input.channels == 3 else coremltools.colorlayout.GRAYSCALE
    image = coremltools.ImageType(
        name=INPUT_NAME, shape=(1, *model.input.shape), scale=1.0, bias=0.0, color_layout=layout
    )
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converted = coremltools.convert(
                [frozen],
                source="tensorflow",
                convert_to="mlprogram",
                inputs=[image],
                classifier_config=coremltools.ClassifierConfig(list(labels)),
                minimum_deployment_target=coremltools.target.iOS15,
                skip_model_load=True,
            )
    except Exception as error:
        # It raises NotImplementedError, KeyError and others while it walks the graph.
        raise conversion_error("coreml", f"{type(error).__name__}: {first_line(error, 300)}") from error
    # A package is a folder; zipped, it has one hash.
    packed = io.BytesIO()
    with temporary_folder() as folder:
        with quiet():
            converted.save(str(folder / f"{name}.mlpackage"))
        write_zip(folder, packed)
    return packed.getvalue()
