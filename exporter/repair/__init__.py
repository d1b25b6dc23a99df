"""Repair: brings an int8 artifact back to the accuracy of the full model, cheapest remedy first."""

from exporter.repair.goal import Evaluation, Goal
from exporter.repair.ladder import Repaired, repair

__all__ = ["Evaluation", "Goal", "Repaired", "repair"]
