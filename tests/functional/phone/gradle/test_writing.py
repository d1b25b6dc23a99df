"""Gradle projects as files: names in their place, the core and the bundle inside, nothing else replaced."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import SnapshipError, UsageError
from phone.gradle import write_project

LABEL = 'Blümchen\'s "x" & <b> \\ 🌼'


def write(bundle: Path, out: Path, **changed: Any) -> None:
    files = {
        file.relative_to(bundle).as_posix(): file.read_bytes() for file in bundle.rglob("*") if file.is_file()
    }
    given: dict[str, Any] = {
        "files": files,
        "label": "Digits",
        "package": "org.example.digits",
        "version_code": 12,
        "version_name": "1.2",
        "icon_png": b"icon",
    } | changed
    write_project(given.pop("files"), out, **given)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }


def test_project_has_the_bundle_the_core_and_its_names(digits_bundle: Path, tmp_path: Path) -> None:
    write(digits_bundle, tmp_path / "project")
    found = tree(tmp_path / "project")
    assert {"settings.gradle.kts", "build.gradle.kts", ".gitignore", "README.md", "snapship.json"} <= set(
        found
    )
    native = {path.removeprefix("app/src/main/cpp/") for path in found if "/cpp/" in path}
    assert {"CMakeLists.txt", "core.h", "jni.c", "resample.c"} <= native
    assert not native & {"python.c", "wasm.c"}
    script = found["app/build.gradle.kts"].decode()
    assert 'applicationId = "org.example.digits"' in script
    assert "versionCode = 12\n" in script
    assert 'versionName = "1.2"' in script
    assert not re.search(r"@[A-Z_]+@", script)
    assert len(Bundle.open(tmp_path / "project/app/src/main/assets/bundle").manifest.artifacts) == 3


def test_template_is_valid_xml_and_toml(digits_bundle: Path, tmp_path: Path) -> None:
    write(digits_bundle, tmp_path, label=LABEL)
    for file in tmp_path.rglob("*.xml"):
        ElementTree.parse(file)
    versions = tomllib.loads((tmp_path / "gradle/libs.versions.toml").read_text())
    names = {
        entry["version"]["ref"] for kind in ("libraries", "plugins") for entry in versions[kind].values()
    }
    assert names == set(versions["versions"])
    strings = ElementTree.parse(tmp_path / "app/src/main/res/values/strings.xml").getroot()
    label = strings.findtext("string[@name='app_name']")
    # Android takes these backslashes away again.
    assert label == LABEL.replace("\\", "\\\\").replace("'", "\\'").replace('"', '\\"')


def test_strings_of_the_code_exist(digits_bundle: Path, tmp_path: Path) -> None:
    write(digits_bundle, tmp_path)
    strings = ElementTree.parse(tmp_path / "app/src/main/res/values/strings.xml").getroot()
    code = (tmp_path / "app/src/main/java/dev/snapship/MainActivity.kt").read_text()
    named = {entry.get("name") for entry in strings}
    assert set(re.findall(r"R\.string\.(\w+)", code)) | {"app_name"} == named


@pytest.mark.parametrize("label", ["@home", "?what"])
def test_label_that_would_be_a_reference(digits_bundle: Path, tmp_path: Path, label: str) -> None:
    write(digits_bundle, tmp_path, label=label)
    strings = ElementTree.parse(tmp_path / "app/src/main/res/values/strings.xml").getroot()
    assert strings.findtext("string[@name='app_name']") == f"\\{label}"


def test_version_name_cannot_leave_its_string(digits_bundle: Path, tmp_path: Path) -> None:
    write(digits_bundle, tmp_path, version_name='1"; $x \\ ü🌼')
    script = (tmp_path / "app/build.gradle.kts").read_text()
    assert r'versionName = "1\u0022; \u0024x \u005c \u00fc\ud83c\udf3c"' in script


def test_same_bundle_gives_the_same_project_and_replaces_it(digits_bundle: Path, tmp_path: Path) -> None:
    write(digits_bundle, tmp_path / "a")
    write(digits_bundle, tmp_path / "b")
    (tmp_path / "b" / "extra.txt").write_text("old")
    write(digits_bundle, tmp_path / "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_another_folder_is_not_replaced(digits_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "work.txt").write_text("mine")
    with pytest.raises(UsageError, match="must be new, or an older project"):
        write(digits_bundle, tmp_path)
    with pytest.raises(UsageError, match="must be new, or an older project"):
        write(digits_bundle, tmp_path / "work.txt")
    assert tree(tmp_path) == {"work.txt": b"mine"}


def test_project_that_is_a_repository_is_not_replaced(digits_bundle: Path, tmp_path: Path) -> None:
    write(digits_bundle, tmp_path / "project")
    (tmp_path / "project/.git").mkdir()
    with pytest.raises(UsageError, match=r"whose \.git would be lost"):
        write(digits_bundle, tmp_path / "project")
    assert (tmp_path / "project/.git").is_dir()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"files": {"a": b""}}, "An Android project needs a bundle."),
        ({"label": ""}, "An app's name must have"),
        ({"package": "x"}, "An Android package must be"),
        ({"version_code": -1}, "An Android version code must be"),
    ],
)
def test_bad_input_leaves_nothing(
    digits_bundle: Path, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(SnapshipError, match=message):
        write(digits_bundle, tmp_path / "project", **changed)
    assert list(tmp_path.iterdir()) == []


def test_damaged_bundle_leaves_nothing(digits_bundle: Path, tmp_path: Path) -> None:
    files = {
        file.relative_to(digits_bundle).as_posix(): file.read_bytes()
        for file in digits_bundle.rglob("*")
        if file.is_file()
    }
    files["digits_int8.tflite"] = b"changed"
    with pytest.raises(SnapshipError, match="digits_int8"):
        write(digits_bundle, tmp_path / "project", files=files)
    assert list(tmp_path.iterdir()) == []
