"""The model zoo: architectures on raw pixels, their names and facts."""

from trainer.models.catalog import ModelInfo, info, names
from trainer.models.registry import build

__all__ = ["ModelInfo", "build", "info", "names"]
