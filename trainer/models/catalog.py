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
        parameters: Count at the reference input and class count.
        reference: That input and class count, in words.
        file_mb: Estimated float32 file size in megabytes (4 bytes a parameter).
        default_size: Side of the input in pixels unless the data or the user says otherwise.
        min_size: Smallest side in pixels that can be built.
        preprocessing: What the model does to raw pixels 0..255 inside.
        pretrained: Whether there are pretrained weights.
        imagenet_top1: Published ImageNet top-1, 0..1, None when there is none.
        widths: Width multipliers with published weights, empty when width is fixed.
    """

    name: str
    summary: str
    parameters: int
    reference: str
    default_size: int
    min_size: int
    preprocessing: str
    pretrained: bool = False
    imagenet_top1: float | None = None
    widths: tuple[float, ...] = ()

    @property
    def file_mb(self) -> float:
        """Estimated float32 file size in megabytes."""
        return round(self.parameters * 4 / 1e6, 1)


_MODELS = {
    entry.name: entry
    for entry in (
        ModelInfo(
            name="mobilenet_v2",
            summary="Inverted residuals; the usual choice for phones",
            parameters=3_538_984,
            reference="224x224x3, 1000 classes",
            default_size=224,
            # keras.applications refuses less.
            min_size=32,
            preprocessing="x / 127.5 - 1",
            pretrained=True,
            # Keras' table of applications (keras.io/api/applications): 71.3 %; the paper: 72.0 %.
            imagenet_top1=0.713,
            # keras.applications.mobilenet_v2: alphas with weights.
            widths=(0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
        ),
        ModelInfo(
            name="small_cnn",
            summary="Two convolutions; digits and other small pictures in seconds",
            parameters=121_930,
            reference="28x28x1, 10 classes",
            default_size=96,
            # Below 10 the second pooling would leave nothing.
            min_size=10,
            preprocessing="x / 255",
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
