"""The seam between the runtime and an interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

from edge_runtime.bundle.manifest import Dtype, TensorSpec
from edge_runtime.common.errors import ModelFileError, first_line
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array

FEATURES = "features"
"""The one further output that a model file may have: what its last dense layer takes."""

EXTRA_OUTPUTS = (FEATURES,)
"""Names of the outputs that a model file may have after its scores."""


class Engine(Protocol):
    """One loaded model file. Not thread-safe: one engine per thread at a time.

    Attributes:
        name: Its name in :data:`edge_runtime.engines.ENGINES`.
        input: The file's input tensor.
        output: The file's first output tensor, its scores.
        outputs: Its further outputs, named in :data:`EXTRA_OUTPUTS`; most files have none.
    """

    name: str
    input: TensorSpec
    output: TensorSpec
    outputs: tuple[TensorSpec, ...]

    def run(self, pixels: UInt8Array) -> Float32Array:
        """Scores one image.

        Args:
            pixels: uint8 ``[height, width, channels]``, raw 0..255.

        Returns:
            float32 ``[classes]``, a copy that the caller owns.
        """
        ...

    def run_with(self, pixels: UInt8Array, output: str) -> tuple[Float32Array, Float32Array]:
        """Scores one image, and returns a further output of the same inference.

        Args:
            pixels: uint8 ``[height, width, channels]``, raw 0..255.
            output: The name of one of :attr:`outputs`.

        Returns:
            The scores, float32 ``[classes]``, and that output, float32 ``[size]``; copies that the caller owns.

        Raises:
            ModelFileError: The file has no such output.
        """
        ...

    def close(self) -> None:
        """Releases the interpreter's memory."""
        ...


class ScoresOnly:
    """What engines without further outputs have in common.

    Attributes:
        outputs: Empty.
    """

    outputs: tuple[TensorSpec, ...] = ()

    def run_with(self, pixels: UInt8Array, output: str) -> tuple[Float32Array, Float32Array]:
        """Refuses: there is no further output.

        Args:
            pixels: Unused.
            output: The name asked for.

        Raises:
            ModelFileError: Always.
        """
        raise no_output(output, "a model", self.outputs)


def no_output(output: str, name: str, outputs: tuple[TensorSpec, ...]) -> ModelFileError:
    """The error for an output that a file does not have.

    Args:
        output: The name asked for.
        name: The model's name.
        outputs: The further outputs that it has.
    """
    has = ", ".join(entry.name for entry in outputs) or "none but scores"
    return ModelFileError(
        f"A rule must read an output that its model file has. Received: {output} of {name}, which has {has}. "
        "Export the bundle again."
    )


def supported_dtype(dtype: str, name: str) -> Dtype:
    """Returns the type of a tensor's numbers, checked.

    Args:
        dtype: As NumPy calls it, or as the file does.
        name: The model's name, for messages.

    Raises:
        ModelFileError: It is neither ``float32`` nor ``uint8``.
    """
    if dtype not in ("float32", "uint8"):
        raise ModelFileError(
            f"A model's tensors must be float32 or uint8. Received: {name} with {dtype}. "
            "Export it with: snapship export"
        )
    return cast(Dtype, dtype)


def check_single_tensors(inputs: int, outputs: int, name: str) -> None:
    """Checks that a model has one input and one output.

    Args:
        inputs: Number of inputs.
        outputs: Number of outputs.
        name: The model's name, for messages.

    Raises:
        ModelFileError: It has others.
    """
    if inputs != 1 or outputs != 1:
        raise ModelFileError(
            f"A classifier must have one input and one output. Received: {name} with {inputs} inputs, "
            f"{outputs} outputs. Export one that takes an image and gives scores."
        )


def check_tensors(inputs: int, outputs: Sequence[str], name: str) -> None:
    """Checks that a model has one input, and no outputs but its scores and what an export adds.

    Args:
        inputs: Number of inputs.
        outputs: Names of its outputs, the scores first.
        name: The model's name, for messages.

    Raises:
        ModelFileError: It has others.
    """
    extra = outputs[1:]
    check_single_tensors(inputs, len(outputs) - len(extra) * set(extra).issubset(EXTRA_OUTPUTS), name)


def check_image_input(tensor: TensorSpec, name: str) -> None:
    """Checks that a tensor takes raw pixels as they are.

    Args:
        tensor: The model's input.
        name: The model's name, for messages.

    Raises:
        ModelFileError: It is not ``[1, height, width, 1 or 3]``, or its quantization
            is not scale 1 and zero point 0, so that pixels would need arithmetic.
    """
    shape = tensor.shape
    if len(shape) != 4 or not all(isinstance(size, int) for size in shape[1:]) or shape[3] not in (1, 3):
        raise ModelFileError(
            f"A model must take one image [1, height, width, 1 or 3 channels]. Received: {name} with input "
            f"{list(shape)}. Export it with: snapship export"
        )
    if tensor.dtype == "uint8" and (abs((tensor.scale or 0.0) - 1.0) > 1e-3 or tensor.zero_point != 0):
        raise ModelFileError(
            f"A uint8 input must take raw pixels (scale 1, zero point 0). Received: {name} with scale "
            f"{tensor.scale}, zero point {tensor.zero_point}. Export it with: snapship export"
        )


def check_score_output(tensor: TensorSpec, name: str) -> None:
    """Checks that a tensor is one float32 score per class.

    Args:
        tensor: The model's output.
        name: The model's name, for messages.

    Raises:
        ModelFileError: It is not.
    """
    if len(tensor.shape) != 2 or not isinstance(tensor.shape[1], int) or tensor.dtype != "float32":
        raise ModelFileError(
            f"A model must return float32 scores [1, classes]. Received: {name} with output {tensor.dtype} "
            f"{list(tensor.shape)}. Export it with: snapship export"
        )


def check_extra_output(tensor: TensorSpec, name: str) -> None:
    """Checks that a further output is one float32 vector per image.

    Args:
        tensor: The output.
        name: The model's name, for messages.

    Raises:
        ModelFileError: It is not.
    """
    sizes = tensor.shape[1:]
    if tensor.dtype != "float32" or not sizes or not all(isinstance(size, int) for size in sizes):
        raise ModelFileError(
            f"A model's further outputs must be float32 vectors. Received: {name} with {tensor.name} {tensor.dtype} "
            f"{list(tensor.shape)}. Export it with: snapship export"
        )


def refused_run(name: str, error: Exception) -> ModelFileError:
    """The error for a file that loads but does not run, for example because its weights are damaged.

    Args:
        name: The model's name.
        error: The interpreter's error.
    """
    return ModelFileError(
        f"A model file must run. Received: {name} ({first_line(error)}). Copy the bundle again or export it again."
    )
