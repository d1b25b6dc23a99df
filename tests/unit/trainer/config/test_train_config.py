"""Every knob's limits, the input that follows, and the defaults that are filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_runtime.common.errors import UnknownNameError, UsageError
from edge_runtime.image.input_spec import InputSpec
from trainer.config.schedule import Phase, describe_plan, phases, resolved_config
from trainer.config.train_config import TrainConfig


def config(**options: Any) -> TrainConfig:
    return TrainConfig(**({"data": "digits", "out": "run", "model": "small_cnn"} | options))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"channels": 2}, "channels must be 1 or 3"),
        ({"size": 9}, "size must be 10 to 1024 pixels for small_cnn. Received: size=9"),
        ({"model": "mobilenet_v2", "size": 31}, "32 to 1024"),
        ({"size": 1025}, "10 to 1024"),
        ({"width": 0.5}, "width must be 1.0 for small_cnn"),
        (
            {"model": "mobilenet_v2", "width": 0.6},
            "one of 0.35, 0.5, 0.75, 1.0, 1.3, 1.4 with weights=imagenet",
        ),
        ({"model": "mobilenet_v2", "width": 0.0}, "0.1 to 4.0"),
        ({"model": "mobilenet_v2", "width": float("nan")}, "0.1 to 4.0"),
        ({"weights": "some.h5"}, "none for small_cnn"),
        ({"epochs": 0}, "epochs must be 1 to 10000"),
        ({"fine_tune_epochs": -1}, "fine_tune_epochs must be 0 to 10000"),
        ({"half_size_epochs": -1}, "half_size_epochs must be 0 to 10000"),
        ({"model": "small_cnn", "half_size_epochs": 1}, "0 for small_cnn; use cifar_cnn or resnet18"),
        ({"model": "mobilenet_v2", "half_size_epochs": 1}, "0 for mobilenet_v2; use cifar_cnn or resnet18"),
        ({"batch_size": 0}, "batch_size must be 1 to 4096"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0"),
        ({"seed": -1}, "seed must be 0 to 4294967295"),
        ({"seed": 2**32}, "seed must be"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"learning_rate": "fast"}, "learning_rate must be auto or a number. Received: learning_rate=fast"),
        ({"unfreeze": "some"}, "unfreeze must be all or a number of layers"),
        ({"unfreeze": 0}, "to skip fine-tuning, use fine_tune_epochs=0"),
        ({"views": 0}, "views must be 1 to 64"),
        ({"label_smoothing": 1.0}, "label_smoothing must be at least 0 and below 1"),
        ({"label_smoothing": float("nan")}, "label_smoothing must be"),
        ({"ema": 1.0}, "ema must be at least 0 and below 1"),
        ({"augment": "auto,flip"}, "augment must be auto, none or a list of names"),
        (
            {"model": "mobilenet_v2", "unfreeze": 20, "augment": "mixup"},
            "without cutmix and mixup when the activations of a frozen backbone are cached. Received: augment=mixup",
        ),
    ],
)
def test_value_out_of_its_limits_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        config(**options)
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"model": "resnet"},
        {"fit": "squash"},
        {"schedule": "linear"},
        {"precision": "float16"},
        {"class_weights": "inverse"},
        {"augment": "blur"},
    ],
)
def test_unknown_name_lists_the_known_ones(options: dict[str, Any]) -> None:
    with pytest.raises(UnknownNameError, match=r"must be a known name. Received: .* Use one of: \w+, "):
        config(**options)


@pytest.mark.parametrize(
    "name", ["resnet50", "vgg16", "efficientnet_b0", "inception_v3", "mobilenet_v3_small"]
)
def test_published_weights_go_with_every_architecture_that_has_some(name: str) -> None:
    assert config(model=name).pretrained


def test_any_width_goes_without_published_weights() -> None:
    assert config(model="mobilenet_v2", width=0.6, weights="none").width == 0.6
    assert config(model="mobilenet_v2", width=0.6, weights="own.weights.h5").pretrained


@pytest.mark.parametrize(
    ("options", "native", "gray", "shape"),
    [
        ({}, (8, 8), True, (28, 28, 1)),
        ({}, (32, 40), False, (32, 40, 3)),
        ({"size": 20}, (8, 8), True, (20, 20, 1)),
        ({"channels": 3}, (28, 28), True, (28, 28, 3)),
        ({}, None, False, (96, 96, 3)),
        ({"model": "mobilenet_v2"}, None, False, (224, 224, 3)),
        ({"model": "mobilenet_v2"}, (8, 8), True, (32, 32, 3)),
        ({"model": "mobilenet_v2", "weights": "none"}, (28, 28), True, (32, 32, 3)),
        ({"model": "mobilenet_v2", "channels": 1}, None, False, (224, 224, 1)),
    ],
)
def test_input_follows_data_and_model(
    options: dict[str, Any], native: tuple[int, int] | None, gray: bool, shape: tuple[int, int, int]
) -> None:
    spec = config(**options).input_spec(native, gray)
    assert spec.shape == shape
    assert spec.fit == "stretch"


def test_plain_training_is_one_phase_with_its_defaults_recorded() -> None:
    record = resolved_config(config(weights="imagenet"), InputSpec(28, 28, 1), arrays=True)
    assert record["phases"] == [{"name": "train", "epochs": 20, "patience": 8, "learning_rate": 2e-3}]
    expected = {"size": 28, "channels": 1, "weights": "none", "epochs": 20, "fine_tune_epochs": 0,
                "learning_rate": 2e-3, "patience": 8, "batch_size": 32, "data": "digits",
                "augment": ["shift"], "schedule": "cosine", "precision": "auto"}  # fmt: skip
    assert {name: record[name] for name in expected} == expected


def test_pretrained_training_is_two_phases_with_their_defaults_recorded() -> None:
    record = resolved_config(
        config(model="mobilenet_v2", weights=Path("w.h5")), InputSpec(160, 160), arrays=False
    )
    assert [(step["name"], step["epochs"], step["patience"], step["learning_rate"])
            for step in record["phases"]] == [("head", 40, 8, 3e-3), ("fine-tune", 8, 4, 1e-4)]  # fmt: skip
    expected = {"size": 160, "channels": 3, "weights": "w.h5", "epochs": 40, "fine_tune_epochs": 8,
                "learning_rate": 1e-4, "patience": None, "augment": ["crop", "flip"], "unfreeze": "all"}  # fmt: skip
    assert {name: record[name] for name in expected} == expected


def test_what_the_user_says_wins() -> None:
    asked = config(model="mobilenet_v2", epochs=3, fine_tune_epochs=2, patience=1, learning_rate=0.5)
    assert [(step.epochs, step.patience, step.learning_rate) for step in phases(asked)] == [
        (3, 1, 3e-3), (2, 1, 0.5)]  # fmt: skip
    assert resolved_config(asked, InputSpec(96, 96), arrays=False)["patience"] == 1
    assert [step.name for step in phases(config(model="mobilenet_v2", fine_tune_epochs=0))] == ["head"]


@pytest.mark.parametrize(
    ("epochs", "each"), [(1, [1]), (2, [1, 1]), (3, [2, 1]), (16, [8, 8]), (100, [92, 8])]
)
def test_epochs_alone_are_all_epochs(epochs: int, each: list[int]) -> None:
    asked = config(model="mobilenet_v2", epochs=epochs)
    assert [step.epochs for step in phases(asked)] == each
    assert describe_plan(asked).startswith(f"training for up to {epochs} epoch{'s' if epochs > 1 else ','}")


def test_what_will_be_trained_is_said_in_one_line() -> None:
    assert describe_plan(config()) == "training for up to 20 epochs"
    assert describe_plan(config(model="mobilenet_v2", fine_tune_epochs=0)) == (
        "training for up to 40 epochs, head only"
    )
    both = describe_plan(config(model="mobilenet_v2", epochs=3, fine_tune_epochs=10, unfreeze=20))
    assert "up to 13 epochs: 3 for the head, then 10 fine-tuning the last 20 layers" in both
    assert "8 fine-tuning all layers" in describe_plan(config(model="mobilenet_v2"))


def test_half_size_is_a_phase_of_its_own_before_the_other() -> None:
    asked = config(model="cifar_cnn", half_size_epochs=8, epochs=4, learning_rate=1e-3)
    assert phases(asked) == (Phase("half-size", 8, 8, 1e-3), Phase("train", 4, 8, 1e-3))
    assert describe_plan(asked) == "training for up to 12 epochs: 8 at half size, then 4"
    record = resolved_config(asked, InputSpec(32, 32, 3), arrays=True)
    assert (record["epochs"], record["half_size_epochs"], record["fine_tune_epochs"]) == (4, 8, 0)


def test_mixing_is_refused_where_a_single_epoch_trains_the_head() -> None:
    with pytest.raises(UsageError, match="without cutmix"):
        config(model="mobilenet_v2", epochs=1, augment="cutmix")
    config(model="mobilenet_v2", epochs=2, augment="cutmix")


def test_rate_that_is_to_be_found_stays_open() -> None:
    (step,) = phases(config(learning_rate="auto"))
    assert step.learning_rate is None
    assert (
        resolved_config(config(learning_rate="auto"), InputSpec(28, 28, 1), arrays=True)["learning_rate"]
        == "auto"
    )


def test_size_of_an_oblong_input_stays_open() -> None:
    assert resolved_config(config(), InputSpec(32, 40), arrays=True)["size"] is None
