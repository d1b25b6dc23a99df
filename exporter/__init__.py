"""Exporter: a full model in, a bundle of checked artifacts out. TensorFlow is loaded at use."""

from exporter.check_config import CheckConfig
from exporter.checking import check
from exporter.config import ExportConfig
from exporter.exporting import export
from exporter.verdict import CheckReport

__all__ = ["CheckConfig", "CheckReport", "ExportConfig", "check", "export"]
