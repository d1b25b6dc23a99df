"""Diagnostics in addition to the verdict: what changed, where, and at which step.

Pure functions of the scores::

    temperature  classes

Measurements that run files again, by :class:`~exporter.evidence.diagnostics.DiagnosticsRunner`::

    preprocessing  engines  layers
"""

from exporter.evidence.classes import MissingClasses, check_classes
from exporter.evidence.record import DiagnosticOptions

__all__ = ["DiagnosticOptions", "MissingClasses", "check_classes"]
