"""Repair: brings an int8 artifact back to the accuracy of the full model, cheapest remedy first."""

from exporter.repair.accuracy_repair import Repaired, repair
from exporter.repair.goal import Evaluation, Goal

__all__ = ["Evaluation", "Goal", "Repaired", "repair"]
