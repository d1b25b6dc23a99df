"""Exporter: a full model in, a bundle of checked artifacts out. TensorFlow is loaded at use."""

from exporter.checking import check
from exporter.config.check_config import CheckConfig
from exporter.config.export_config import ExportConfig
from exporter.exporting import export
from exporter.judge.verdict import CheckReport
from exporter.unlabelled.record import UnlabelledReport
from exporter.unlabelled_check import check_unlabelled

__all__ = [
    "CheckConfig",
    "CheckReport",
    "ExportConfig",
    "UnlabelledReport",
    "check",
    "check_unlabelled",
    "export",
]
