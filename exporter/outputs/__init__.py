"""A check's result in the forms that build servers read."""

from exporter.outputs.github import github_annotations, output_lines, step_summary
from exporter.outputs.junit import junit_xml

__all__ = ["github_annotations", "junit_xml", "output_lines", "step_summary"]
