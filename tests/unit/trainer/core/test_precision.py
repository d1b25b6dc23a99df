"""What ``--precision auto`` means, by what the hardware says of itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edge_runtime.engines.cpu import Cpu
from trainer.core import precision


@pytest.mark.parametrize(
    ("capability", "expected"),
    [
        ((8, 0), True),
        ((7, 5), False),
        ("9.0", True),
        ("7.5", False),
        ((12, 0), True),
        ("gfx90a", False),
        (None, False),
    ],
)
def test_gpu_is_judged_by_its_compute_capability(capability: Any, expected: bool) -> None:
    assert precision.gpu_multiplies_bfloat16(capability) is expected


@pytest.fixture
def amx(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose CPU has AMX."""
    has(monkeypatch, "amx_bf16")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)


def has(monkeypatch: pytest.MonkeyPatch, *flags: str) -> None:
    monkeypatch.setattr(precision, "cpu", lambda: Cpu("made", bfloat16_flags=flags))


def on(monkeypatch: pytest.MonkeyPatch, backend: str, **modules: Any) -> None:
    keras = SimpleNamespace(backend=SimpleNamespace(backend=lambda: backend))
    monkeypatch.setattr(precision, "load_keras", lambda: keras)
    for name, module in modules.items():
        monkeypatch.setitem(__import__("sys").modules, name, module)


def tensorflow(*capabilities: Any) -> Any:
    details = SimpleNamespace(get_device_details=lambda gpu: {"compute_capability": gpu})
    return SimpleNamespace(
        config=SimpleNamespace(list_physical_devices=lambda _: list(capabilities), experimental=details)
    )


def test_tensorflow_takes_the_cpu_s_instructions(monkeypatch: pytest.MonkeyPatch, amx: None) -> None:
    on(monkeypatch, "tensorflow", tensorflow=tensorflow())
    assert precision.resolved_precision("auto") == "mixed_bfloat16"
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert precision.resolved_precision("auto") == "float32"
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    has(monkeypatch)
    assert precision.resolved_precision("auto") == "float32"


def test_every_gpu_must_have_bfloat16(monkeypatch: pytest.MonkeyPatch, amx: None) -> None:
    on(monkeypatch, "tensorflow", tensorflow=tensorflow((8, 6), (9, 0)))
    assert precision.resolved_precision("auto") == "mixed_bfloat16"
    on(monkeypatch, "tensorflow", tensorflow=tensorflow((8, 6), (7, 5)))
    assert precision.resolved_precision("auto") == "float32"


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (SimpleNamespace(platform="cpu"), "mixed_bfloat16"),
        (SimpleNamespace(platform="tpu"), "mixed_bfloat16"),
        (SimpleNamespace(platform="gpu", compute_capability="8.0"), "mixed_bfloat16"),
        (SimpleNamespace(platform="gpu", compute_capability="7.0"), "float32"),
        (SimpleNamespace(platform="metal"), "float32"),
    ],
)
def test_jax_takes_its_devices(
    device: Any, expected: str, monkeypatch: pytest.MonkeyPatch, amx: None
) -> None:
    on(monkeypatch, "jax", jax=SimpleNamespace(devices=lambda: [device]))
    assert precision.resolved_precision("auto") == expected


def test_pytorch_takes_gpus_only(monkeypatch: pytest.MonkeyPatch, amx: None) -> None:
    cuda = SimpleNamespace(
        is_available=lambda: False, device_count=lambda: 1, get_device_capability=lambda _: (8, 0)
    )
    on(monkeypatch, "torch", torch=SimpleNamespace(cuda=cuda))
    assert precision.resolved_precision("auto") == "float32"
    cuda.is_available = lambda: True
    assert precision.resolved_precision("auto") == "mixed_bfloat16"


@pytest.mark.parametrize("asked", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_what_is_asked_for_is_taken(asked: str) -> None:
    assert precision.resolved_precision(asked) == asked
