"""The model zoo: names, facts and builders of architectures on raw pixels."""

from trainer.models.catalog import ModelInfo, info, names
from trainer.models.registry import build

__all__ = ["ModelInfo", "build", "info", "names"]
