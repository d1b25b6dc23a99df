"""Wording: sizes, times and drops, the same in every table, plot and report; and converter errors.

A converter names an operation; the user needs the layer to replace.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from edge_runtime.common.errors import ModelFileError

_SECOND_MS = 1000.0
_SMALL_MS = 0.1

_TF_OPERATION = re.compile(r"tf\.([A-Za-z][A-Za-z0-9]*)")
"""How MLIR prints an operation: ``'tf.EagerPyFunc' op is neither a custom op nor a flex op``."""

_OUTSIDE = ("HashTable", "LookupTable", "PyFunc", "Random", "Multinomial")
"""Parts of names of operations that depend on more than the graph: lookup tables, Python code, randomness."""


def size_text(count: int) -> str:
    """A size: ``3.90 MB`` or ``129.7 kB``, decimal units.

    Args:
        count: In bytes.
    """
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def latency_text(milliseconds: float) -> str:
    """A time: ``1.56 s``, ``12.50 ms``, and ``0.031 ms`` where two decimals are too few.

    Args:
        milliseconds: The time.
    """
    if milliseconds >= _SECOND_MS:
        return f"{milliseconds / _SECOND_MS:.2f} s"
    return f"{milliseconds:.3f} ms" if milliseconds < _SMALL_MS else f"{milliseconds:.2f} ms"


def cascade_text(passed_on: float) -> str:
    """What a cascade passed on, in words.

    Args:
        passed_on: Share of the images, 0..1.
    """
    return f"passes {passed_on:.1%} of the images on to its second file; its latency is the mean, its size both files"


def drop_text(change: float) -> str:
    """A change of top-1 as a drop in points: ``0.26``; a gain is a negative drop, and zero has no minus.

    Args:
        change: Top-1 minus the full model's, in fractions of 1.
    """
    return f"{round(-100 * change, 2) + 0.0:.2f}"


def agreement_text(agreement: float, required: float) -> str:
    """Why an artifact fails that agrees with the full model too rarely.

    Args:
        agreement: Share of images with the full model's answer, 0..1.
        required: The smallest share that passes.
    """
    return f"it agrees with the full model on {100 * agreement:.2f} % of the images, {100 * required:g} % are required"


def conversion_error(kind: str, reason: str) -> ModelFileError:
    """The error for a model that a converter or quantizer refuses.

    Args:
        kind: The artifact's kind.
        reason: The reason, in words; names an operation or a layer where it can.
    """
    return ModelFileError(
        f"A model must convert to {kind}. Received: {reason}. "
        "Replace what is named, or leave this artifact out with --artifacts."
    )


def refused_operations(graph: Any, message: str) -> str:
    """The operations named in a converter's message, with their layers, in words.

    Args:
        graph: The converted ``tf.Graph``.
        message: The converter's message.

    Returns:
        Such as ``the operation EagerPyFunc in layer 'lambda'``; empty if the message names none.
    """
    return _described(graph, _TF_OPERATION.findall(message))


def unknown_to(graph: Any, known: Collection[str]) -> str:
    """The operations of a graph that a converter does not know, in words.

    Args:
        graph: A ``tf.Graph``.
        known: Names of known operations.
    """
    return _described(graph, {node.op for node in _nodes(graph)} - set(known))


def outside_operations(graph: Any) -> str:
    """The operations of a graph that are not pure tensor arithmetic, in words; empty if there are none.

    Args:
        graph: A ``tf.Graph``.
    """
    return _described(graph, {node.op for node in _nodes(graph) if any(part in node.op for part in _OUTSIDE)})


def has_operation(graph: Any, part: str) -> bool:
    """Whether a graph has an operation with a matching name.

    Args:
        graph: A ``tf.Graph``.
        part: Part of the name, such as ``FakeQuant``.
    """
    return any(part in node.op for node in _nodes(graph))


def _described(graph: Any, operations: Collection[str]) -> str:
    """Up to three operations with their layers, in words, in the graph's order."""
    places: dict[str, str] = {}
    for node in _nodes(graph):
        if node.op in operations:
            places.setdefault(node.op, _layer(node.name))
    return " and ".join(
        f"the operation {operation}{f' in layer {layer!r}' if layer else ''}"
        for operation, layer in list(places.items())[:3]
    )


def _nodes(graph: Any) -> Iterator[Any]:
    definition = graph.as_graph_def()
    yield from definition.node
    for function in definition.library.function:
        yield from function.node_def


def _layer(name: str) -> str:
    """A node's path without the model and the operation: ``functional_1/lambda/EagerPyFunc`` -> ``lambda``."""
    return "/".join(name.split("/")[1:-1])
