"""ONNX models run in memory with more outputs than they have."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from edge_runtime.engines.onnx import new_session
from edge_runtime.errors import EnvironmentMissingError
from edge_runtime.native_output import quiet
from exporter.external_data import parse_onnx, read_external


def parsed(model: Path | bytes) -> Any:
    """Parses an .onnx file, with the weights that lie in files beside it.

    Args:
        model: Its path, or its bytes where it is whole.

    Raises:
        EnvironmentMissingError: onnx is not installed.
        ModelFileError: It is damaged, or its weights are not there.
    """
    if isinstance(model, Path):
        return read_external(parse_onnx(model), model)
    try:
        import onnx
    except ImportError as error:
        raise EnvironmentMissingError.of_extra("Looking into an .onnx file", "onnx", "export") from error
    return onnx.load_model_from_string(model)


def add_outputs(model: Any, names: Collection[str] | None = None) -> list[str]:
    """Makes tensors outputs of a model, in place.

    Args:
        model: The model.
        names: Which tensors; all float tensors that nodes give if None.

    Returns:
        The names, those that are outputs already too.
    """
    import onnx

    if names is None:
        float32 = {
            info.name
            for info in (*model.graph.value_info, *model.graph.output)
            if info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        }
        names = [name for node in model.graph.node for name in node.output if name in float32]
    present = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    return list(names)


def session_of(data: bytes) -> Any:
    """A session that keeps quiet and computes what the file says, unfused.

    Args:
        data: An .onnx file.
    """
    # Fusing QDQ pairs would take away the tensors that are read.
    with quiet():
        return new_session(data, min(4, os.cpu_count() or 1), as_written=True)
