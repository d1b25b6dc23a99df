"""What is known of each architecture before it is built. Loads no Keras."""

from __future__ import annotations

from dataclasses import dataclass

from edge_runtime.errors import UnknownNameError


@dataclass(frozen=True)
class ModelInfo:
    """Facts about an architecture.

    Attributes:
        name: Its name everywhere.
        summary: One line for people.
        parameters: Count at the reference input and class count, None where it is the user's.
        reference: That input and class count, in words.
        file_mb: Estimated float32 file size in megabytes (4 bytes a parameter), None without a count.
        default_size: Side of the input in pixels unless the data or the user says otherwise.
        min_size: Smallest side in pixels that can be built.
        preprocessing: What the model does to raw pixels 0..255 inside.
        pretrained: Whether there are pretrained weights.
        imagenet_top1: Published ImageNet top-1, 0..1, None when there is none.
        widths: Width multipliers with published weights, empty when width is fixed.
        frozen: Whether only the head can be trained.
    """

    name: str
    summary: str
    parameters: int | None
    reference: str
    default_size: int
    min_size: int
    preprocessing: str
    pretrained: bool = False
    imagenet_top1: float | None = None
    widths: tuple[float, ...] = ()
    frozen: bool = False

    @property
    def file_mb(self) -> float | None:
        """Estimated float32 file size in megabytes."""
        return None if self.parameters is None else round(self.parameters * 4 / 1e6, 1)


_UNIT = "x / 127.5 - 1"
_STANDARDIZED = "x / 255, ImageNet mean and std"
_CAFFE = "minus ImageNet means, BGR"
_IMAGENET = "224x224x3, 1000 classes"

_MODELS = {
    entry.name: entry
    for entry in (
        # From scratch; parameters at the reference input, by the builders of scratch.py.
        ModelInfo(
            "bn_cnn",
            "Six convolutions with batch norm, L2 and dropout",
            552_298,
            "32x32x3, 10 classes",
            64,
            8,
            "x / 255",
        ),
        ModelInfo(
            "cifar_cnn",
            "Six convolutions, global average pooling",
            304_810,
            "32x32x3, 10 classes",
            64,
            8,
            "x / 255",
        ),
        # Below 18 the third convolution would leave nothing.
        ModelInfo("deep_cnn", "Three convolutions", 93_322, "28x28x1, 10 classes", 96, 18, "x / 255"),
        ModelInfo(
            "lenet5",
            "LeNet-5 of 1998: tanh and average pooling",
            61_706,
            "32x32x1, 10 classes",
            32,
            16,
            "x / 255",
        ),
        ModelInfo(
            "resnet18",
            "Residual blocks with projection shortcuts",
            11_699_112,
            "224x224x3, 1000 classes",
            160,
            8,
            "x / 255",
        ),
        # Below 10 the second pooling would leave nothing.
        ModelInfo(
            "small_cnn",
            "Two convolutions; digits and other small pictures in seconds",
            121_930,
            "28x28x1, 10 classes",
            96,
            10,
            "x / 255",
        ),
        # Pretrained; top-1 as in the table of keras.io/api/applications and its MobileNetV3 page,
        # smallest sizes as keras.applications asks, widths those with published weights.
        ModelInfo(
            "efficientnet_b0",
            "Scaled up from a search; accurate for its size",
            5_330_571,
            _IMAGENET,
            224,
            32,
            _STANDARDIZED,
            True,
            0.771,
        ),
        ModelInfo(
            "efficientnet_v2_b0",
            "EfficientNet that trains faster",
            7_200_312,
            _IMAGENET,
            224,
            32,
            _STANDARDIZED,
            True,
            0.787,
        ),
        ModelInfo(
            "efficientnet_v2_l",
            "The most accurate here, for servers",
            119_027_848,
            "480x480x3, 1000 classes",
            480,
            32,
            "x / 128 - 1",
            True,
            0.857,
        ),
        ModelInfo(
            "inception_v3",
            "Parallel convolutions of several sizes",
            23_851_784,
            "299x299x3, 1000 classes",
            299,
            75,
            _UNIT,
            True,
            0.779,
        ),
        ModelInfo(
            "mobilenet_v2",
            "Inverted residuals; the usual choice for phones",
            3_538_984,
            _IMAGENET,
            224,
            32,
            _UNIT,
            True,
            0.713,
            (0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
        ),
        ModelInfo(
            "mobilenet_v3_large",
            "MobileNet from a search, with squeeze-and-excite",
            5_507_432,
            _IMAGENET,
            224,
            32,
            _UNIT,
            True,
            0.756,
            (0.75, 1.0),
        ),
        ModelInfo(
            "mobilenet_v3_small",
            "The same for the smallest devices",
            2_554_968,
            _IMAGENET,
            224,
            32,
            _UNIT,
            True,
            0.681,
            (0.75, 1.0),
        ),
        ModelInfo(
            "resnet101",
            "ResNet-50 with twice the layers",
            44_707_176,
            _IMAGENET,
            224,
            32,
            _CAFFE,
            True,
            0.764,
        ),
        ModelInfo(
            "resnet50",
            "Residual bottlenecks; the baseline of the field",
            25_636_712,
            _IMAGENET,
            224,
            32,
            _CAFFE,
            True,
            0.749,
        ),
        ModelInfo(
            "vgg16",
            "Sixteen plain layers; large and slow",
            138_357_544,
            _IMAGENET,
            224,
            32,
            _CAFFE,
            True,
            0.713,
        ),
        ModelInfo("vgg19", "Nineteen plain layers", 143_667_240, _IMAGENET, 224, 32, _CAFFE, True, 0.713),
        # What it holds and takes is the SavedModel's; smaller than 8 none is known.
        ModelInfo(
            "feature_extractor",
            "Any SavedModel or TF-Hub feature vector: --weights FOLDER",
            None,
            "the SavedModel's",
            224,
            8,
            "x / 255, or --pixel-range",
            True,
            frozen=True,
        ),
    )
}


def names() -> tuple[str, ...]:
    """Names of all architectures, sorted."""
    return tuple(sorted(_MODELS))


def info(name: str) -> ModelInfo:
    """Returns what is known of an architecture.

    Args:
        name: One of :func:`names`.

    Raises:
        UnknownNameError: There is none of that name.
    """
    if name not in _MODELS:
        raise UnknownNameError.of("model", name, names())
    return _MODELS[name]
