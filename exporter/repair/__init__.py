"""Repair: what brings an int8 artifact back to its full model, tried from the cheapest on."""

from exporter.repair.ladder import Goal, Repaired, Rung, repair

__all__ = ["Goal", "Repaired", "Rung", "repair"]
