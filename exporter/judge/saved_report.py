"""Reads the check report of a bundle."""

from __future__ import annotations

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.strict_json import decode_json
from exporter.judge.verdict import CHECK_FILE, CheckReport


def saved_report(bundle: Bundle) -> CheckReport | None:
    """Reads the check report of a bundle; None if it has none.

    Args:
        bundle: An open bundle.

    Raises:
        BundleError: It is damaged.
    """
    if not bundle.has(CHECK_FILE):
        return None
    report: CheckReport = decode_json(bundle.read(CHECK_FILE), CheckReport, f"{bundle.location}/{CHECK_FILE}")
    return report
