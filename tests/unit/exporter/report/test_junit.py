"""JUnit XML, read back by a reader nobody here wrote, and held to the strictest schema's rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from exporter.judge.baseline_report import BaselineReport, Change
from exporter.judge.verdict import CheckReport
from exporter.report.junit import junit_xml

Made = Callable[..., CheckReport]

SINCE = BaselineReport(
    "fail", 0.02, {"b": Change("fail", "it lost", -0.05, -0.08, 20, 0, -0.02, 1000, 0.0)}, ("a",), ("gone",),
    ("d",), 0.0,
)  # fmt: skip


def held_to_the_schema(text: str) -> ElementTree.Element:
    """The rules of github.com/windyroad/JUnit-Schema, JUnit.xsd; returns the suite."""
    root = ElementTree.fromstring(text.encode())
    assert (root.tag, root.attrib, [child.tag for child in root]) == ("testsuites", {}, ["testsuite"])
    (suite,) = root
    assert set(suite.attrib) == {
        "name", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time", "package", "id",
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    assert suite.attrib["name"].strip()
    tags = [child.tag for child in suite]
    cases = suite.findall("testcase")
    assert tags == ["properties", *["testcase"] * len(cases), "system-out", "system-err"]
    for one in suite.find("properties") or []:
        assert set(one.attrib) == {"name", "value"}
        assert one.attrib["name"]
    for case in cases:
        assert set(case.attrib) == {"name", "classname", "time"}
        assert re.fullmatch(r"\d+\.\d+", case.attrib["time"])
        assert len(case) <= 1
        for result in case:
            assert result.tag in ("failure", "error", "skipped")
            if result.tag != "skipped":
                assert set(result.attrib) == {"message", "type"}
    for name in ("failure", "error", "skipped"):
        attribute = {"failure": "failures", "error": "errors", "skipped": "skipped"}[name]
        assert int(suite.attrib[attribute]) == sum(len(case.findall(name)) for case in cases)
    assert int(suite.attrib["tests"]) == len(cases)
    return suite


@pytest.mark.parametrize(("inconclusive", "kind"), [("error", Error), ("fail", Failure), ("pass", None)])
def test_verdicts_become_results(made_report: Made, inconclusive: str, kind: type | None) -> None:
    report = made_report(
        {"a": "pass", "b": "fail", "c": "inconclusive"}, skipped={"d": "no engine"}, unmade={"e": "no file"}
    )
    text = junit_xml(report, name="x.bundle", inconclusive=inconclusive)
    held_to_the_schema(text)
    (suite,) = JUnitXml.fromstring(text.encode())
    results = {case.name: case.result for case in suite}
    assert list(results) == ["a", "b", "c", "d", "e"]
    assert results["a"] == []
    assert isinstance(results["b"][0], Failure)
    assert results["b"][0].message == "because fail"
    assert [type(found) for found in results["c"]] == ([] if kind is None else [kind])
    assert isinstance(results["d"][0], Skipped)
    assert isinstance(results["e"][0], Skipped)
    assert "not made. no file" in text


def test_baseline_has_test_cases_of_its_own(made_report: Made) -> None:
    report = made_report({"a": "pass", "b": "pass"}, skipped={"d": "no engine"})
    text = junit_xml(report, name="x.bundle", baseline=SINCE)
    held_to_the_schema(text)
    (suite,) = JUnitXml.fromstring(text.encode())
    cases = [(case.classname, case.name, [type(found) for found in case.result]) for case in suite]
    assert cases == [
        ("x.bundle", "a", []),
        ("x.bundle", "b", []),
        ("x.bundle", "d", [Skipped]),
        ("x.bundle.baseline", "b", [Failure]),
        ("x.bundle.baseline", "gone", [Failure]),
        ("x.bundle.baseline", "d", [Skipped]),
    ]
    assert "a: not in the baseline" in text


def test_properties_hold_the_numbers(made_report: Made) -> None:
    report = made_report({"tflite-int8": {"delta": -0.0175, "latency_ms": 3.0}})
    text = junit_xml(report, name="x", when=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    suite = held_to_the_schema(text)
    properties = {one.attrib["name"]: one.attrib["value"] for one in suite.iter("property")}
    assert properties["tflite-int8.delta"] == "-0.0175"
    assert (properties["images"], properties["margin"]) == ("400", "0.02")
    assert suite.attrib["timestamp"] == "2026-01-02T03:04:05"
    # 400 images of 3 ms.
    assert suite.attrib["time"] == "1.200"


@pytest.mark.parametrize("name", ["<&\"'>", "bell \x07 and \ud800", "", "zeile\nzwei", "🌹"])
def test_any_name_gives_a_document_that_can_be_read(made_report: Made, name: str) -> None:
    report = made_report({name or "x": {"verdict": "fail", "reason": f"]]> {name}"}})
    suite = held_to_the_schema(junit_xml(report, name=name))
    if name.isprintable() and name:
        assert suite.attrib["name"] == name
        assert suite.findall("testcase/failure")[0].text == f"]]> {name}"
