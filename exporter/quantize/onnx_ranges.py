"""What the calibration images show in a float .onnx file, on all cores: extremes of all tensors, means of some.

The extremes are found by operations added to the graph, so that ONNX Runtime does not hand out every tensor.
One session serves all threads, so the weights are in memory once. Means are added up in the order of
the images: the sums are the same for any number of cores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from edge_runtime.common.errors import first_line
from edge_runtime.common.native_output import quiet
from edge_runtime.engines.onnx import new_session
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from exporter.common.in_order import in_order
from exporter.common.wording import conversion_error
from exporter.formats.half_precision import raw
from exporter.formats.onnx_run import add_outputs, float_outputs
from exporter.quantize.bias import MeanMaps
from exporter.quantize.recording import Recording, fewer, workers

Maps = dict[str, Float32Array]


def record(model: Any, images: UInt8Array, inputs: set[str], kind: str) -> tuple[Recording, dict[int, Maps]]:
    """Runs the images.

    Args:
        model: A parsed float .onnx file with the shapes of its tensors; it is changed.
        images: uint8 ``[n, height, width, channels]``, at least one.
        inputs: Tensors whose means are wanted.
        kind: The artifact's kind, for messages.

    Returns:
        The extremes of each image; and the means of ``inputs``, by name, over all images and over each number
        of :func:`~exporter.quantize.recording.fewer`.

    Raises:
        ModelFileError: The file does not run.
    """
    source, names = model.graph.input[0].name, tuple(float_outputs(model))
    ends, wanted = _add_extremes(model, names), sorted(inputs - {source})
    add_outputs(model, wanted)
    with quiet():
        session = new_session(model.SerializeToString(), 1, as_written=True)

    def run(image: UInt8Array) -> tuple[Any, Maps]:
        batch = raw(image)
        try:
            found = session.run([*ends, *wanted], {source: batch})
        except Exception as error:
            # ONNX Runtime's exceptions have no common base class but Exception.
            raise conversion_error(kind, first_line(error, 300)) from error
        extremes = np.array(found[: len(ends)], dtype=np.float32).reshape(2, len(names))
        return extremes, {source: batch, **dict(zip(wanted, found[len(ends) :], strict=True))}

    maps, means = MeanMaps(inputs), dict[int, Maps]()
    counts = {*fewer(len(images)), len(images)}

    def rows() -> Iterator[Any]:
        found = in_order([run] * workers(len(images)), images)
        for count, (extremes, tensors) in enumerate(found, start=1):
            maps.add(tensors)
            if count in counts:
                means[count] = maps.means()
            yield extremes

    return Recording.of(names, rows()), means


def _add_extremes(model: Any, names: tuple[str, ...]) -> list[str]:
    """Adds outputs: the smallest value of each tensor, then the largest of each."""
    from onnx import ValueInfoProto, helper

    ends = []
    for operation in ("ReduceMin", "ReduceMax"):
        for place, name in enumerate(names):
            end = f"snapship_{operation}_{place}"
            model.graph.node.append(helper.make_node(operation, [name], [end], keepdims=0))
            ends.append(end)
    model.graph.output.extend(ValueInfoProto(name=end) for end in ends)
    return ends


def channels_last(maps: Mapping[str, Float32Array]) -> Maps:
    """Means as :func:`~exporter.quantize.bias.layer_means` takes them; ONNX has the channels first.

    Args:
        maps: Means by name, ``[channels, height, width]`` or ``[channels]``.
    """
    return {name: value.transpose(1, 2, 0) if value.ndim == 3 else value for name, value in maps.items()}
