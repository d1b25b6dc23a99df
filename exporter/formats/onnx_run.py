"""Runs ONNX models in memory with any tensor as an output, and probes the int8 kernels of this CPU.

The CPU's int8 instructions decide how fast an int8 file is and, for some files, its answers.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.strict_json import Strict
from edge_runtime.common.errors import EnvironmentMissingError
from edge_runtime.common.native_output import quiet
from edge_runtime.engines.cpu import cpu
from edge_runtime.engines.onnx import new_session
from exporter.formats.model_files import import_onnx, parse_onnx, read_external


def parsed(model: Path | bytes) -> Any:
    """Parses an .onnx file, with the weights from files beside it.

    Args:
        model: Its path, or its bytes if it has no files beside it.

    Raises:
        EnvironmentMissingError: onnx is not installed.
        ModelFileError: It is damaged, or its weights are not there.
    """
    if isinstance(model, Path):
        return read_external(parse_onnx(model), model)
    return import_onnx().load_model_from_string(model)


def float_outputs(model: Any) -> list[str]:
    """The float32 tensors that nodes produce.

    Args:
        model: The model, with the shapes of its tensors.
    """
    import onnx

    float32 = {
        info.name
        for info in (*model.graph.value_info, *model.graph.output)
        if info.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
    return [name for node in model.graph.node for name in node.output if name in float32]


def add_outputs(model: Any, names: Collection[str] | None = None) -> list[str]:
    """Makes tensors outputs of a model, in place.

    Args:
        model: The model.
        names: Which tensors; None is every float tensor that a node produces.

    Returns:
        The names, including those that were outputs before.
    """
    import onnx

    names = float_outputs(model) if names is None else names
    present = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in present)
    return list(names)


def session_of(data: bytes) -> Any:
    """A silent session that computes what the file says, unfused.

    Args:
        data: An .onnx file.
    """
    # Fusing QDQ pairs would remove the tensors that are read.
    with quiet():
        return new_session(data, min(4, os.cpu_count() or 1), as_written=True)


class CpuReport(Strict, frozen=True):
    """The CPU that a check ran on.

    Attributes:
        name: Its model's name.
        flags: Those of :data:`edge_runtime.engines.cpu.FLAGS` that it has; empty if the system does not report them.
        saturates: Whether ONNX Runtime's u8 x s8 kernels saturate at 16 bits here, found by running
            one; None if ONNX Runtime is not installed.
    """

    name: str
    flags: tuple[str, ...] = ()
    saturates: bool | None = None

    @property
    def text(self) -> str:
        """One line for people."""
        sums = "; ONNX Runtime's u8 x s8 kernels saturate here" if self.saturates else ""
        return f"{self.name} ({', '.join(self.flags) or 'flags unknown'}){sums}"


@cache
def cpu_report() -> CpuReport:
    """Describes this machine's CPU."""
    found = cpu()
    return CpuReport(name=found.name, flags=found.flags, saturates=kernels_saturate())


@cache
def kernels_saturate() -> bool | None:
    """Whether the default u8 x s8 kernels of ONNX Runtime lose what exceeds 16 bits.

    Flags do not settle it: a hypervisor may hide them, and other builds have other kernels. So the
    largest products are summed and the result checked.

    Returns:
        None if onnx or onnxruntime is not installed.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        return None
    count = 64
    weights = np.full((count, 8), 127, dtype=np.int8)
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["sum"])],
        "probe",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, [1, count])],
        [helper.make_tensor_value_info("sum", TensorProto.INT32, [1, 8])],
        [numpy_helper.from_array(weights, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    try:
        session = session_of(model.SerializeToString())
    except EnvironmentMissingError:
        return None
    found = session.run(None, {"a": np.full((1, count), 255, dtype=np.uint8)})[0]
    return bool((found != 255 * 127 * count).any())
