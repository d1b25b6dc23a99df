"""The artifact kinds: what each is called, and what its file looks like."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge_runtime.errors import UnknownNameError, UsageError
from edge_runtime.manifest import Format


@dataclass(frozen=True)
class Kind:
    """One way to write a model.

    Attributes:
        name: Its name everywhere, such as ``tflite-int8``.
        format: ``tflite`` or ``onnx``.
        precision: ``fp32`` or ``int8``.
        exact: Whether its scores must equal the full model's to :data:`exporter.gate.EXACT_DP`.
        golden_tolerance: Largest score difference between two machines that is no finding.
            Float kernels differ in the order of sums; an int8 score may move by a
            few steps of the last quantized tensor where a rounding falls the other way.
    """

    name: str
    format: Format
    precision: str
    exact: bool
    golden_tolerance: float

    def file(self, stem: str) -> str:
        """The file's name in a bundle, such as ``flowers_int8.tflite``."""
        return f"{stem}_{self.precision}.{self.format}"


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("tflite-fp32", "tflite", "fp32", True, 1e-3),
        Kind("tflite-int8", "tflite", "int8", False, 0.05),
        Kind("onnx-fp32", "onnx", "fp32", True, 1e-3),
    )
}
"""Every kind by name, in the order of tables."""

DEFAULT_KINDS = tuple(KINDS)


def parse_kinds(names: Iterable[str]) -> tuple[Kind, ...]:
    """Looks kinds up.

    Args:
        names: Kind names.

    Returns:
        The kinds, each once, in the order of tables.

    Raises:
        UnknownNameError: One is not known.
        UsageError: There is none.
    """
    wanted = set()
    for name in names:
        if name not in KINDS:
            raise UnknownNameError.of("artifact", name, KINDS)
        wanted.add(name)
    if not wanted:
        raise UsageError(f"An export needs an artifact. Received: none. Use any of: {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS.values() if kind.name in wanted)
