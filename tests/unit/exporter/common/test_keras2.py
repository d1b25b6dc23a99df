"""A configuration of Keras 2 in the words of Keras 3; what could change an answer stays."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.common.keras2 import translated


def layer(kind: str, name: str, inbound: list[Any] | None = None, **config: Any) -> dict[str, Any]:
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, **config},
        "inbound_nodes": inbound or [],
    }


def functional(*layers: dict[str, Any], ends: tuple[str, str] | None = None, **other: Any) -> dict[str, Any]:
    first, last = ends or (layers[0]["name"], layers[-1]["name"])
    config = {"name": "model", "layers": list(layers)}
    config |= {"input_layers": [[first, 0, 0]], "output_layers": [[last, 0, 0]]}
    return {"class_name": "Functional", "config": config, **other}


@pytest.mark.parametrize(
    ("kind", "dead"),
    [
        ("DepthwiseConv2D", {"groups": 1}),
        ("DepthwiseConv1D", {"groups": 1}),
        ("Conv2DTranspose", {"groups": 1}),
        ("SeparableConv2D", {"groups": 1, "kernel_initializer": {"class_name": "Zeros", "config": {}}}),
        ("SeparableConv2D", {"kernel_regularizer": None, "kernel_constraint": None}),
        ("SpatialDropout2D", {"trainable": True, "noise_shape": None}),
    ],
)
def test_keys_without_effect_are_taken_out(kind: str, dead: dict[str, Any]) -> None:
    found = translated(layer(kind, "x", filters=4, **dead))
    assert found["config"] == {"name": "x", "filters": 4}


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("DepthwiseConv2D", {"groups": 2}),
        ("Conv2D", {"groups": 1}),
        ("SpatialDropout2D", {"noise_shape": [1, 1]}),
        ("DepthwiseConv2D", {"unheard_of": 1}),
    ],
)
def test_everything_else_is_left_for_keras_to_refuse(kind: str, config: dict[str, Any]) -> None:
    assert translated(layer(kind, "x", **config))["config"] == {"name": "x", **config}


def test_names_with_a_slash_follow_into_the_connections_and_stay_apart() -> None:
    found = translated(
        functional(
            layer("InputLayer", "image"),
            layer("Conv2D", "Conv_first", [[["image", 0, 0, {}]]]),
            layer("Conv2D", "Conv/first", [[["Conv_first", 0, 0, {}]]]),
        )
    )["config"]
    assert [entry["name"] for entry in found["layers"]] == ["image", "Conv_first", "Conv_first_"]
    assert found["layers"][2]["config"]["name"] == "Conv_first_"
    assert found["layers"][2]["inbound_nodes"] == [[["Conv_first", 0, 0, {}]]]
    assert found["output_layers"] == ["Conv_first_", 0, 0]


def test_calls_of_a_nested_model_are_counted_from_its_first_use() -> None:
    inner = functional(layer("InputLayer", "in"), layer("ReLU", "out", [[["in", 0, 0, {}]]]))
    base = inner | {"name": "base", "inbound_nodes": [[["image", 0, 0, {}]], [["image", 0, 0, {}]]]}
    found = translated(
        functional(
            layer("InputLayer", "image"),
            base,
            layer("Add", "sum", [[["base", 1, 0, {}], ["base", 2, 0, {}]]]),
        )
    )["config"]
    assert found["layers"][2]["inbound_nodes"] == [[["base", 0, 0, {}], ["base", 1, 0, {}]]]
    assert found["layers"][1]["config"]["output_layers"] == ["out", 0, 0]


@pytest.mark.parametrize(("kind", "wanted"), [("Functional", 1), ("Sequential", 0)])
def test_nested_model_that_is_the_output(kind: str, wanted: int) -> None:
    # Keras 3 takes one off for a functional model itself, and none for a sequential one.
    config = functional(
        layer("InputLayer", "image"), layer("ReLU", "x", [[["image", 0, 0, {}]]]),
        layer(kind, "head", [[["x", 0, 0, {}]]]),
    )  # fmt: skip
    config["config"]["output_layers"] = [["head", 1, 0]]
    assert translated(config)["config"]["output_layers"] == ["head", wanted, 0]


def test_policies_modules_and_old_names() -> None:
    policy = {"class_name": "Policy", "module": "keras.mixed_precision", "config": {"name": "mixed_float16"}}
    assert translated(layer("Conv2D", "x", dtype=policy))["config"]["dtype"] == "mixed_float16"
    old = layer("BatchNormalizationV1", "x", axis=[3])
    assert translated(old)["class_name"] == "BatchNormalization"
    assert translated(old)["config"]["axis"] == 3
    for module in ("keras.src.engine.functional", "tf_keras.src.engine.functional"):
        found = translated(functional(layer("InputLayer", "image"), module=module))
        assert found["module"] == "keras.src.models.functional"
    assert (
        translated({"class_name": "Own", "module": "tf_keras.layers", "config": {}})["module"]
        == "keras.layers"
    )


def test_input_shape_beside_an_input_layer_is_said_twice() -> None:
    layers = [
        layer("InputLayer", "in", batch_input_shape=[None, 8]),
        layer("Dense", "x", batch_input_shape=[None, 8]),
    ]
    found = translated({"class_name": "Sequential", "config": {"layers": layers}})["config"]["layers"]
    assert "batch_input_shape" in found[0]["config"]
    assert "batch_input_shape" not in found[1]["config"]
    alone = translated({"class_name": "Sequential", "config": {"layers": layers[1:]}})["config"]["layers"]
    assert "batch_input_shape" in alone[0]["config"]


def test_class_of_a_user_with_the_name_of_a_model_stays_the_users() -> None:
    model = functional(layer("InputLayer", "in"), module="shop.nets", registered_name="shop>Functional")
    found = translated(model)
    assert (found["module"], found["registered_name"]) == ("shop.nets", "shop>Functional")
    sequential = {
        "class_name": "Sequential",
        "module": "keras",
        "registered_name": "Sequential",
        "config": {},
    }
    assert translated(sequential) == sequential


def test_models_of_keras_3_are_left_as_they_are() -> None:
    node = {
        "args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["in", 0, 0]}}],
        "kwargs": {},
    }
    model = functional(
        layer("InputLayer", "in"), layer("Conv2D", "x", [node], groups=1),
        module="keras.src.models.functional", registered_name="Functional",
    )  # fmt: skip
    assert translated(model) == model
