"""Evidence beside the verdict: what moved, where, and by which step.

Pure measures, one to a file, on scores that are already there::

    temperature  classes  parity  pareto  attribution

Measures that run files again, gathered by :class:`~exporter.evidence.gathering.DiagnosticsRunner`::

    preprocessing  engines  layers  golden
"""

from exporter.evidence.classes import MissingClasses, check_classes
from exporter.evidence.options import DiagnosticOptions

__all__ = ["DiagnosticOptions", "MissingClasses", "check_classes"]
