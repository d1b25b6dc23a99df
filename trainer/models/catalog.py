"""Every architecture in one row: its facts, and how a pretrained one is built. Does not load Keras."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

from edge_runtime.common.errors import UnknownNameError

Scaling = Literal["unit", "inside", "caffe"]
"""How raw RGB pixels 0..255 become what the published weights were trained on.

``unit``: x / 127.5 - 1. ``inside``: the application scales them itself. ``caffe``: minus the
ImageNet means; the published BGR order is folded into the first convolution.
"""


@dataclass(frozen=True, kw_only=True)
class Application:
    """How ``keras.applications`` builds an architecture.

    Attributes:
        function: Name of its function in ``keras.applications``.
        scaling: How raw pixels are scaled for it.
        sizes: Sides in pixels of square inputs with published weights of their own; for any other
            input the last one's are used.
        width_option: The function's parameter for the width multiplier, empty without one.
        first_convolution: The layer that sees the image; ``caffe`` folds the channel order into it.
        dropout: Dropout rate before the new head, as in the published one.
    """

    function: str
    scaling: Scaling
    sizes: tuple[int, ...] = (224,)
    width_option: str = ""
    first_convolution: str = ""
    dropout: float = 0.2


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """Facts about an architecture.

    Attributes:
        name: Its name everywhere.
        summary: One line for people.
        parameters: Number of parameters at the reference input and class count; None if a
            SavedModel decides.
        reference: The reference input and class count, in words.
        default_size: Side of the input in pixels unless the data or the user says otherwise.
        min_size: Smallest side in pixels that can be built.
        preprocessing: What the model itself does to raw pixels 0..255.
        pretrained: Whether pretrained weights exist.
        imagenet_top1: Published ImageNet top-1 accuracy, 0..1; None without one.
        widths: Width multipliers with published weights; empty when the width is fixed.
        frozen: Whether only the head can be trained.
        any_size: Whether the same weights fit images of any size, as with global average pooling; told of those
            that are trained from scratch.
        application: How ``keras.applications`` builds it; None for the others.
    """

    name: str
    summary: str
    parameters: int | None
    reference: str
    default_size: int
    min_size: int
    preprocessing: str = "x / 255"
    pretrained: bool = False
    imagenet_top1: float | None = None
    widths: tuple[float, ...] = ()
    frozen: bool = False
    any_size: bool = False
    application: Application | None = None

    @property
    def file_mb(self) -> float | None:
        """Estimated size of a float32 file in megabytes, 4 bytes per parameter; None without a count."""
        return None if self.parameters is None else round(self.parameters * 4 / 1e6, 1)


_SMALL_GRAY, _SMALL_COLOUR = "28x28x1, 10 classes", "32x32x3, 10 classes"
_IMAGENET = "224x224x3, 1000 classes"
_UNIT = "x / 127.5 - 1"
_STANDARDIZED = "x / 255, ImageNet mean and std"
_CAFFE = "minus ImageNet means, BGR"
_pretrained = partial(ModelInfo, reference=_IMAGENET, default_size=224, min_size=32, pretrained=True)

_MODELS = {
    model.name: model
    for model in (
        # From scratch, built by registry.py.
        ModelInfo(
            name="bn_cnn", summary="Six convolutions with batch norm, L2 and dropout", parameters=552_298,
            reference=_SMALL_COLOUR, default_size=64, min_size=8,
        ),
        ModelInfo(
            name="cifar_cnn", summary="Six convolutions, global average pooling", parameters=304_810,
            reference=_SMALL_COLOUR, default_size=64, min_size=8, any_size=True,
        ),
        # Below 18 pixels nothing would be left for the third convolution.
        ModelInfo(
            name="deep_cnn", summary="Three convolutions", parameters=93_322,
            reference=_SMALL_GRAY, default_size=96, min_size=18,
        ),
        ModelInfo(
            name="lenet5", summary="LeNet-5 from 1998: tanh and average pooling", parameters=61_706,
            reference="32x32x1, 10 classes", default_size=32, min_size=16,
        ),
        ModelInfo(
            name="resnet18", summary="Residual blocks with projection shortcuts", parameters=11_699_112,
            reference=_IMAGENET, default_size=160, min_size=8, any_size=True,
        ),
        # Below 10 pixels nothing would be left for the second pooling.
        ModelInfo(
            name="small_cnn", summary="Two convolutions; learns digits and other small images in seconds",
            parameters=121_930, reference=_SMALL_GRAY, default_size=96, min_size=10,
        ),
        # Pretrained. Top-1 from the table at keras.io/api/applications and its MobileNetV3 page;
        # min_size as keras.applications requires.
        _pretrained(
            name="efficientnet_b0", summary="Compound-scaled; accurate for its size", parameters=5_330_571,
            preprocessing=_STANDARDIZED, imagenet_top1=0.771,
            application=Application(function="EfficientNetB0", scaling="inside"),
        ),
        _pretrained(
            name="efficientnet_v2_b0", summary="An EfficientNet that trains faster", parameters=7_200_312,
            preprocessing=_STANDARDIZED, imagenet_top1=0.787,
            application=Application(function="EfficientNetV2B0", scaling="inside"),
        ),
        _pretrained(
            name="efficientnet_v2_l", summary="The most accurate here, for servers", parameters=119_027_848,
            reference="480x480x3, 1000 classes", default_size=480, preprocessing="x / 128 - 1", imagenet_top1=0.857,
            application=Application(function="EfficientNetV2L", scaling="inside", sizes=(480,), dropout=0.4),
        ),
        _pretrained(
            name="inception_v3", summary="Parallel convolutions of several sizes", parameters=23_851_784,
            reference="299x299x3, 1000 classes", default_size=299, min_size=75, preprocessing=_UNIT,
            imagenet_top1=0.779, application=Application(function="InceptionV3", scaling="unit", sizes=(299,)),
        ),
        _pretrained(
            name="mobilenet_v2", summary="Inverted residuals; the usual choice for phones", parameters=3_538_984,
            preprocessing=_UNIT, imagenet_top1=0.713, widths=(0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
            application=Application(
                function="MobileNetV2", scaling="unit", sizes=(96, 128, 160, 192, 224), width_option="alpha"
            ),
        ),
        _pretrained(
            name="mobilenet_v3_large", summary="MobileNet from architecture search, with squeeze-and-excite",
            parameters=5_507_432, preprocessing=_UNIT, imagenet_top1=0.756, widths=(0.75, 1.0),
            application=Application(function="MobileNetV3Large", scaling="inside", width_option="alpha"),
        ),
        _pretrained(
            name="mobilenet_v3_small", summary="The same for the smallest devices",
            parameters=2_554_968, preprocessing=_UNIT, imagenet_top1=0.681, widths=(0.75, 1.0),
            application=Application(function="MobileNetV3Small", scaling="inside", width_option="alpha"),
        ),
        _pretrained(
            name="resnet101", summary="ResNet-50 with twice the layers", parameters=44_707_176,
            preprocessing=_CAFFE, imagenet_top1=0.764,
            application=Application(function="ResNet101", scaling="caffe", first_convolution="conv1_conv"),
        ),
        _pretrained(
            name="resnet50", summary="Residual bottlenecks; the field's baseline", parameters=25_636_712,
            preprocessing=_CAFFE, imagenet_top1=0.749,
            application=Application(function="ResNet50", scaling="caffe", first_convolution="conv1_conv"),
        ),
        _pretrained(
            name="vgg16", summary="Sixteen plain layers; large and slow", parameters=138_357_544,
            preprocessing=_CAFFE, imagenet_top1=0.713,
            application=Application(
                function="VGG16", scaling="caffe", first_convolution="block1_conv1", dropout=0.5
            ),
        ),
        _pretrained(
            name="vgg19", summary="Nineteen plain layers", parameters=143_667_240,
            preprocessing=_CAFFE, imagenet_top1=0.713,
            application=Application(
                function="VGG19", scaling="caffe", first_convolution="block1_conv1", dropout=0.5
            ),
        ),
        # The SavedModel decides what it contains and accepts; none smaller than 8 pixels is known.
        ModelInfo(
            name="feature_extractor", summary="Any SavedModel or TF-Hub feature vector: --weights FOLDER",
            parameters=None, reference="the SavedModel's", default_size=224, min_size=8,
            preprocessing="x / 255, or --pixel-range", pretrained=True, frozen=True,
        ),
    )
}  # fmt: skip


def names() -> tuple[str, ...]:
    """Names of all architectures, sorted."""
    return tuple(sorted(_MODELS))


def names_of_any_size() -> tuple[str, ...]:
    """Names of the architectures of :attr:`ModelInfo.any_size`, sorted."""
    return tuple(name for name in names() if info(name).any_size)


def info(name: str) -> ModelInfo:
    """Returns the facts about an architecture.

    Args:
        name: One of :func:`names`.

    Raises:
        UnknownNameError: No architecture has that name.
    """
    if name not in _MODELS:
        raise UnknownNameError.of("model", name, names())
    return _MODELS[name]
