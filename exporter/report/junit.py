"""JUnit XML, as read by Jenkins, GitLab, report actions for GitHub and others.

There is no standard. This follows the strictest description in use, the schema of Ant's JUnitReport
(github.com/windyroad/JUnit-Schema): properties come first and belong to the suite, a test case holds
one result and nothing else, and all required attributes are present.

::

    fail                  <failure>
    inconclusive          <error>, <failure> or nothing, depending on --inconclusive
    no engine installed   <skipped>
    could not be made     <skipped>
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree import ElementTree

from edge_runtime.common.errors import GateFailedError, InconclusiveError
from exporter.judge.baseline_report import BaselineReport
from exporter.judge.verdict import ArtifactReport, CheckReport
from exporter.report.any_report import AnyReport
from exporter.statistics.gate import GateVerdict

_NUMBERS = (
    "top1", "delta", "bound", "upper", "lost", "won", "differing", "answered", "unanswered", "agreement", "kl",
    "max_abs_dp", "ece", "bytes", "latency_ms",
)  # fmt: skip
# Characters that XML 1.0 cannot hold, even escaped.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(
    report: AnyReport,
    *,
    name: str,
    baseline: BaselineReport | None = None,
    inconclusive: str = "error",
    when: datetime | None = None,
) -> str:
    """Writes a check as one test suite with a test case per artifact.

    Args:
        report: The result of the check.
        name: The checked file or bundle; the name of the suite.
        baseline: The comparison with the baseline; its test cases have the class name
            ``NAME.baseline``.
        inconclusive: How to treat an inconclusive verdict: ``error``, ``pass`` or ``fail``.
        when: The time in UTC; None is now.

    Returns:
        The document. The time of a test case is that of its inferences: images times median latency.
    """
    suite_name = _clean(name) or "snapship check"
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite")
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in _properties(report):
        ElementTree.SubElement(properties, "property", name=_clean(key), value=_clean(value))
    spent = {kind: _ran(report, kind) * one.latency_ms / 1000.0 for kind, one in report.artifacts.items()}
    for kind, one in report.artifacts.items():
        case = _case(suite, suite_name, kind, spent[kind])
        _result(case, one.verdict, one.reason, inconclusive)
    for kind, why in report.skipped.items():
        ElementTree.SubElement(_case(suite, suite_name, kind, 0.0), "skipped").text = _clean(why)
    for kind, why in report.unmade.items():
        case = _case(suite, suite_name, kind, 0.0)
        ElementTree.SubElement(case, "skipped").text = _clean(f"not made. {why}")
    if baseline is not None:
        place = f"{suite_name}.baseline"
        for kind, change in baseline.artifacts.items():
            _result(_case(suite, place, kind, 0.0), change.verdict, change.reason, inconclusive)
        for kind in baseline.gone:
            _result(_case(suite, place, kind, 0.0), "fail", "it is no longer exported", inconclusive)
        for kind in baseline.skipped:
            case = _case(suite, place, kind, 0.0)
            ElementTree.SubElement(case, "skipped").text = "not checked here"
    ElementTree.SubElement(suite, "system-out").text = _clean(_text(report, baseline))
    ElementTree.SubElement(suite, "system-err").text = ""
    moment = (when or datetime.now(UTC)).astimezone(UTC)
    suite.attrib.update(
        {
            "name": suite_name,
            "package": "snapship.check",
            "id": "0",
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": "localhost",
            "tests": str(len(suite.findall("testcase"))),
            "failures": str(len(suite.findall("testcase/failure"))),
            "errors": str(len(suite.findall("testcase/error"))),
            "skipped": str(len(suite.findall("testcase/skipped"))),
            "time": f"{sum(spent.values()):.3f}",
        }
    )
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _properties(report: AnyReport) -> list[tuple[str, str]]:
    whole = {
        "verdict": report.verdict,
        "margin": report.margin,
        "images": report.n,
        "data_sha256": report.data_sha256,
        "reference.sha256": report.reference.sha256,
    }
    if isinstance(report, CheckReport):
        whole["reference.top1"] = report.reference.top1
    found = [(key, str(value)) for key, value in whole.items()]
    if isinstance(report, CheckReport) and report.sequential is not None:
        found += [
            ("sequential.seed", str(report.sequential.seed)),
            ("sequential.images", str(report.sequential.images)),
            ("sequential.data_sha256", report.sequential.data_sha256),
            ("sequential.whole", " ".join(report.sequential.whole)),
        ]
    for kind, one in report.artifacts.items():
        # What needs labels is absent where there are none.
        found += [(f"{kind}.{key}", str(getattr(one, key))) for key in _NUMBERS if hasattr(one, key)]
        if isinstance(one, ArtifactReport) and one.stop is not None:
            found.append((f"{kind}.stop.images", str(one.stop.images)))
    return found


def _ran(report: AnyReport, kind: str) -> int:
    """Images that an artifact was run on."""
    if not isinstance(report, CheckReport) or report.sequential is None or report.sequential.whole:
        return report.n
    stop = report.artifacts[kind].stop
    return report.n if stop is None else stop.images


def _text(report: AnyReport, baseline: BaselineReport | None) -> str:
    lines = [f"{kind}: {one.verdict}, {one.reason}" for kind, one in report.artifacts.items()]
    if isinstance(report, CheckReport) and report.sequential is not None:
        lines.append(f"sequential: {report.sequential.text}")
    if baseline is not None:
        lines += [
            f"{kind} since the baseline: {one.verdict}, {one.reason}"
            for kind, one in baseline.artifacts.items()
        ]
        lines += [f"{kind}: not in the baseline" for kind in baseline.added]
    return "\n".join(lines)


def _case(suite: ElementTree.Element, place: str, kind: str, seconds: float) -> ElementTree.Element:
    return ElementTree.SubElement(
        suite, "testcase", name=_clean(kind), classname=place, time=f"{seconds:.3f}"
    )


def _result(case: ElementTree.Element, verdict: GateVerdict, reason: str, inconclusive: str) -> None:
    if verdict == "pass" or (verdict == "inconclusive" and inconclusive == "pass"):
        return
    failed = verdict == "fail" or inconclusive == "fail"
    kind = (GateFailedError if failed else InconclusiveError).__name__
    element = ElementTree.SubElement(
        case, "failure" if failed else "error", message=_clean(reason), type=kind
    )
    element.text = _clean(reason)


def _clean(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
