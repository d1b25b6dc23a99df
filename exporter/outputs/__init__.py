"""The result of a check in the formats that build servers read."""

from exporter.outputs.github import github_annotations, output_lines, step_summary
from exporter.outputs.junit import junit_xml

__all__ = ["github_annotations", "junit_xml", "output_lines", "step_summary"]
