"""Small edits that make an .onnx file open in more engines; its answers stay the same.

*Padding.* ``ZeroPadding2D`` in front of a strided convolution, as in MobileNet and ResNet, becomes a
``Pad`` of its own. ncnn has no such layer, and a convolution can pad by itself.

*Pooling.* A convolution pads with zeros, but a MaxPool pads with minus infinity. The two agree
where no number is negative. Elsewhere the ``Pad`` has to stay, and ONNX Runtime (seen in 1.31.1)
folds it all the same: the border of ``ZeroPadding2D`` and ``MaxPooling2D`` after a convolution
without activation, as in Keras' ResNet50V2, then comes out negative instead of 0
(microsoft/onnxruntime issue 24737). ONNX Runtime 1.20 folds one into an AveragePool without
counting the zeros (issue 22177). Both leave a padding with any value but 0 alone.

*Shapes.* Converters leave the shapes of inner tensors in ``value_info``, inferred before their last
edit. tract refuses a file in which one of them is wrong. They are optional: readers infer them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NEARLY_ZERO = float(np.finfo(np.float32).tiny)
"""1.2e-38, the smallest normal float32: pads as 0 does, but is not 0 to an optimizer."""

_SPATIAL = slice(2, None)
_NOT_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softmax")
_UNCHANGED_SIGN = ("MaxPool", "AveragePool", "Transpose", "Identity")


def without_stale_shapes(proto: Any) -> Any:
    """Removes the shapes of inner tensors, in place; those of input and output stay.

    Args:
        proto: An ONNX ``ModelProto``.

    Returns:
        The same model.
    """
    del proto.graph.value_info[:]
    return proto


def fold_zero_pads(proto: Any) -> Any:
    """Lets convolutions and poolings pad by themselves, in place, where that gives the same numbers.

    A ``Pad`` is removed if it writes zeros along height and width of ``[batch, channels, height, width]``
    and everything that reads it is a Conv, an AveragePool, or a MaxPool of numbers that are never
    negative. In front of another pooling it stays and writes :data:`NEARLY_ZERO`.

    Args:
        proto: An ONNX ``ModelProto`` of operator set 13 to 17.

    Returns:
        The same model.
    """
    graph = proto.graph
    constants = {entry.name: entry for entry in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    kept = {output.name for output in graph.output} | _read_inside(graph)
    for pad in [node for node in graph.node if node.op_type == "Pad"]:
        amounts = _zeros_around(pad, constants)
        readers = [node for node in graph.node if pad.output[0] in node.input]
        if amounts is None or not readers or pad.output[0] in kept:
            continue
        never_negative = _never_negative(pad.input[0], makers, constants)
        if all(_can_pad(node, pad.output[0], amounts, never_negative) for node in readers):
            for node in readers:
                _add_padding(node, amounts)
                node.input[0] = pad.input[0]
            graph.node.remove(pad)
        elif any(node.op_type in ("MaxPool", "AveragePool") for node in readers):
            _write_nearly_zero(graph, pad)
    drop_unread(graph)
    return proto


def _zeros_around(pad: Any, constants: dict[str, Any]) -> list[int] | None:
    """``[top, left, bottom, right]`` of a Pad that writes zeros there and nowhere else; None for another."""
    import onnx

    mode = next((entry.s for entry in pad.attribute if entry.name == "mode"), b"constant")
    given = [name for name in pad.input[1:] if name]
    if mode != b"constant" or len(pad.input) > 3 or any(name not in constants for name in given):
        return None
    amounts, *value = (onnx.numpy_helper.to_array(constants[name]) for name in given)
    if amounts.size != 8 or (amounts < 0).any() or any(number.any() for number in value):
        return None
    begin, end = amounts.reshape(2, 4)
    if begin[:2].any() or end[:2].any():
        return None
    return [int(size) for size in (*begin[_SPATIAL], *end[_SPATIAL])]


def _can_pad(node: Any, tensor: str, amounts: list[int], never_negative: bool) -> bool:
    """Whether a node that reads a padded tensor gives the same when it pads by itself."""
    said = attributes(node)
    if said.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or tensor in node.input[1:]:
        return False
    if node.op_type == "Conv":
        return True
    own = said.get("pads", [0] * 4)
    if node.op_type == "MaxPool":
        same = never_negative and len(node.output) == 1
    else:
        same = node.op_type == "AveragePool" and (not any(own) or said.get("count_include_pad", 0) == 1)
    if not same or said.get("ceil_mode"):
        return False
    # Every window must hold at least one number of the image.
    reach = [
        (size - 1) * step + 1
        for size, step in zip(said["kernel_shape"], said.get("dilations", [1, 1]), strict=True)
    ]
    pads = [one + other for one, other in zip(own, amounts, strict=True)]
    return all(size < reach[place % 2] for place, size in enumerate(pads))


def _add_padding(node: Any, amounts: list[int]) -> None:
    import onnx

    pads = [one + other for one, other in zip(attributes(node).get("pads", [0] * 4), amounts, strict=True)]
    written = {"pads": pads, **({"count_include_pad": 1} if node.op_type == "AveragePool" else {})}
    kept = [entry for entry in node.attribute if entry.name not in ("auto_pad", *written)]
    del node.attribute[:]
    node.attribute.extend([*kept, *(onnx.helper.make_attribute(*entry) for entry in written.items())])


def _never_negative(tensor: str, makers: dict[str, Any], constants: dict[str, Any]) -> bool:
    """Whether the operations that give a tensor cannot give a negative number."""
    import onnx

    node = makers.get(tensor)
    while node is not None and node.op_type in _UNCHANGED_SIGN:
        node = makers.get(node.input[0])
    if node is None:
        return False
    if node.op_type == "Clip":
        low = constants.get(node.input[1]) if len(node.input) > 1 else None
        return low is not None and bool((onnx.numpy_helper.to_array(low) >= 0).all())
    return node.op_type in _NOT_NEGATIVE


def _write_nearly_zero(graph: Any, pad: Any) -> None:
    import onnx

    name = f"{pad.name or pad.output[0]}_value"
    graph.initializer.append(onnx.numpy_helper.from_array(np.array(NEARLY_ZERO, np.float32), name))
    pad.input[:] = [*pad.input[:2], name]


def drop_unread(graph: Any) -> None:
    """Removes the constants that nothing reads, in place."""
    read = {name for node in graph.node for name in node.input} | _read_inside(graph)
    read |= {output.name for output in graph.output}
    for constant in [entry for entry in graph.initializer if entry.name not in read]:
        graph.initializer.remove(constant)


def _read_inside(graph: Any) -> set[str]:
    """Names that the branches and bodies of If, Loop and Scan read; they see the tensors around them."""
    found: set[str] = set()
    for inner in (entry.g for node in graph.node for entry in node.attribute if entry.HasField("g")):
        found |= {name for node in inner.node for name in node.input} | _read_inside(inner)
        found |= {output.name for output in inner.output}
    return found


def attributes(node: Any) -> dict[str, Any]:
    """A node's attributes as Python values."""
    import onnx

    return {entry.name: onnx.helper.get_attribute_value(entry) for entry in node.attribute}
