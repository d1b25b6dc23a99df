"""Names and version codes."""

from __future__ import annotations

import pytest

from edge_runtime.common.errors import UsageError
from phone.apk.names import check_label, check_package, package_name, version_code


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("flowers", "app.snapship.flowers"),
        ("Flowers v2.1-int8", "app.snapship.flowers_v2_1_int8"),
        ("Blümchen", "app.snapship.blumchen"),
        ("2fast", "app.snapship.app_2fast"),
        ("__x__", "app.snapship.x"),
        ("花", "app.snapship.app_b0a1eab5"),
    ],
)
def test_package_name(name: str, package: str) -> None:
    assert package_name(name) == package
    check_package(package)


def test_package_name_of_a_long_name_is_allowed() -> None:
    check_package(package_name("x" * 500))


def test_names_without_latin_letters_differ() -> None:
    assert package_name("花") != package_name("鳥")


def test_version_code_grows_with_the_time_of_the_bundle() -> None:
    codes = [
        version_code(time)
        for time in ("2026-11-29T21:00:00Z", "2026-11-29T21:00:01Z", "2026-11-29T22:00:02+00:00")
    ]
    assert codes == sorted(set(codes))
    assert version_code("2020-01-01T00:00:01") == 1


@pytest.mark.parametrize("time", ["", "yesterday", "2019-12-31T00:00:00Z", "2099-01-01T00:00:00Z"])
def test_version_code_of_no_such_time_is_refused(time: str) -> None:
    with pytest.raises(UsageError, match="Received:"):
        version_code(time)


@pytest.mark.parametrize("package", ["a", "a.", "a..b", "a.1", "a.b-c", "ä.b", "a.b\n", "a." + "b" * 130])
def test_invalid_packages(package: str) -> None:
    with pytest.raises(UsageError, match="An Android package must be"):
        check_package(package)


@pytest.mark.parametrize("label", ["", "\t", "a\0", "a" * 101, "\ud800"])
def test_invalid_labels(label: str) -> None:
    with pytest.raises(UsageError, match="An app's name must have"):
        check_label(label)
