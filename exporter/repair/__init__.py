"""Repair: brings an int8 artifact back to the accuracy of the full model, cheapest remedy first."""

from exporter.repair.repair_steps import Goal, Repaired, RepairEvaluation, repair

__all__ = ["Goal", "RepairEvaluation", "Repaired", "repair"]
