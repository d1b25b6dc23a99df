"""Repair: brings an int8 artifact back to the accuracy of the full model, cheapest remedy first."""

from exporter.repair.repair_steps import Evaluation, Goal, Repaired, repair

__all__ = ["Evaluation", "Goal", "Repaired", "repair"]
