"""Exporter: a full model in, a bundle of checked artifacts out. TensorFlow is loaded at use."""

from exporter.checking import check
from exporter.config import ExportConfig
from exporter.exporting import export
from exporter.verdict import CheckReport

__all__ = ["CheckReport", "ExportConfig", "check", "export"]
