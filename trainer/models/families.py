"""Pretrained families of keras.applications: what each wants of raw pixels, and where its backbone ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Scaling = Literal["unit", "inside", "caffe"]
"""How raw RGB pixels 0..255 become what the published weights were trained on.

``unit``: x / 127.5 - 1. ``inside``: the application does it itself. ``caffe``: minus the
ImageNet means; the published BGR order is folded into the first convolution.
"""


@dataclass(frozen=True)
class Family:
    """An architecture of keras.applications.

    Attributes:
        application: Its function's name.
        scaling: What it wants of raw pixels.
        last: The layer whose output the pooling takes.
        sizes: Sides of square inputs that have weights of their own; else 224 stands in.
        options: What the function must be called with.
        width_option: The option that multiplies its layers' widths, empty when there is none.
        first_convolution: The layer that sees the image, where ``caffe`` folds its channel order in.
        dropout: Share of features dropped before the new head, as its published head has it.
    """

    application: str
    scaling: Scaling
    last: str
    sizes: tuple[int, ...] = (224,)
    options: dict[str, object] = field(default_factory=dict)
    width_option: str = ""
    first_convolution: str = ""
    dropout: float = 0.2


FAMILIES: dict[str, Family] = {
    "mobilenet_v2": Family(
        "MobileNetV2", "unit", "out_relu", sizes=(96, 128, 160, 192, 224), width_option="alpha"
    ),
    "mobilenet_v3_small": Family("MobileNetV3Small", "inside", "", width_option="alpha"),
    "mobilenet_v3_large": Family("MobileNetV3Large", "inside", "", width_option="alpha"),
    "efficientnet_b0": Family("EfficientNetB0", "inside", "top_activation"),
    "efficientnet_v2_b0": Family("EfficientNetV2B0", "inside", "top_activation"),
    "efficientnet_v2_l": Family("EfficientNetV2L", "inside", "top_activation", sizes=(480,), dropout=0.4),
    "resnet50": Family("ResNet50", "caffe", "conv5_block3_out", first_convolution="conv1_conv"),
    "resnet101": Family("ResNet101", "caffe", "conv5_block3_out", first_convolution="conv1_conv"),
    "vgg16": Family("VGG16", "caffe", "block5_pool", first_convolution="block1_conv1", dropout=0.5),
    "vgg19": Family("VGG19", "caffe", "block5_pool", first_convolution="block1_conv1", dropout=0.5),
    "inception_v3": Family("InceptionV3", "unit", "mixed10", sizes=(299,)),
}
"""Every pretrained architecture by name."""
