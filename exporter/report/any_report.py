"""What the writers of reports take: a check on labelled images, or one on photos without labels."""

from __future__ import annotations

from exporter.judge.verdict import CheckReport
from exporter.unlabelled.record import UnlabelledReport

AnyReport = CheckReport | UnlabelledReport
"""Both have verdicts with reasons, sizes and times, and the artifacts that were skipped or could not be made."""
