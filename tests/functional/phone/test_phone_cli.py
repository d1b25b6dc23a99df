"""``snapship phone`` on a real bundle, through the front door: what it makes, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from phone.app.static_files import static_files
from phone.engine.pinned import PACKAGES
from snapship.cli import cli

KIND = "tflite-int8"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def edit(path: Path, change: Callable[[Any], None]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def listed(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def one_line(found: Result, code: int, *words: str) -> None:
    assert found.exit_code == code, found.output
    line = found.stderr.splitlines()[-1]
    assert line.startswith("Error: ")
    assert "Received: " in line
    assert "Traceback" not in found.output
    for word in words:
        assert word in line


def test_app_json_lists_every_file_with_its_hash(digits_app: Path) -> None:
    files = listed(digits_app)
    app = json.loads(files.pop("app.json"))
    files.pop("sw.js", None)
    expected = {path: (hashlib.sha256(data).hexdigest(), len(data)) for path, data in files.items()}
    assert {path: (entry["sha256"], entry["bytes"]) for path, entry in app["files"].items()} == expected
    lines = "".join(f"{path} {sha256}\n" for path, (sha256, _) in sorted(expected.items()))
    assert app["version"] == hashlib.sha256(lines.encode()).hexdigest()
    assert app["made_by"].startswith("snapship ")
    assert (app["name"], app["artifact"]) == ("digits", KIND)
    assert app["engine"] == {"name": "litertjs", "version": "2.5.3", "build": "compat"}
    assert set(static_files()) - {"manifest.webmanifest", "sw.js"} <= set(files)


def test_engine_files_are_the_published_ones_but_for_one_import(digits_app: Path) -> None:
    for pinned in PACKAGES:
        for file in pinned.files:
            if file.to and not file.to.endswith("core.js"):
                assert hashlib.sha256((digits_app / file.to).read_bytes()).hexdigest() == file.sha256
    core = (digits_app / "engine/litert/core.js").read_text()
    assert 'import { createWasmLib } from "./wasm_utils.js";' in core
    assert "@litertjs" not in core


def test_bundle_inside_is_reduced_and_passes_its_self_test(digits_bundle: Path, digits_app: Path) -> None:
    inside = digits_app / "bundle"
    manifest = json.loads((inside / "manifest.json").read_text())
    full = json.loads((digits_bundle / "manifest.json").read_text())
    (artifact,) = manifest["artifacts"]
    (original,) = [entry for entry in full["artifacts"] if entry["kind"] == KIND]
    # As written today: older bundles lack fields that have a default.
    assert artifact == artifact | original
    golden = json.loads((inside / "golden/golden.json").read_text())
    all_golden = json.loads((digits_bundle / "golden/golden.json").read_text())
    assert len(golden["examples"]) == len(all_golden["examples"])
    assert list(golden["tolerance"]) == [KIND]
    for example, whole in zip(golden["examples"], all_golden["examples"], strict=True):
        assert example == whole | {"scores": {KIND: whole["scores"][KIND]}}
    # Nothing else: no report, no other artifact.
    images = {example["file"] for example in golden["examples"]}
    expected = images | {"manifest.json", "labels.txt", "digits_int8.tflite", "golden/golden.json"}
    assert set(listed(inside)) == expected
    tested = run("selftest", inside)
    assert tested.exit_code == 0
    assert f"Passed: {len(images)} replays" in tested.stdout


def test_licences_name_every_part_with_its_text(digits_app: Path) -> None:
    text = (digits_app / "LICENSES.txt").read_text(encoding="utf-8")
    for words in (
        "Apache License\n                           Version 2.0",
        "LiteRT.js",
        "Copyright [2023] jamsinclair",
        "based in part on the work of the Independent JPEG Group",
        "The Modified (3-clause) BSD License",
    ):
        assert words in text


def test_same_bundle_gives_the_same_app_and_replaces_it(
    digits_bundle: Path, engine: Path, digits_app: Path, tmp_path: Path
) -> None:
    out = tmp_path / "app"
    shutil.copytree(digits_app, out)
    (out / "stale.txt").write_text("of an older version")
    edit(out / "app.json", lambda app: app["files"].update({"stale.txt": {"sha256": "0" * 64, "bytes": 19}}))
    found = run("phone", digits_bundle, "--out", out, "--engine", engine, "--json")
    assert found.exit_code == 0, found.output
    record = json.loads(found.stdout)
    assert record["outputs"] == {"out": str(out)}
    assert record["artifact"] == KIND
    assert listed(out) == listed(digits_app)
    assert [path.name for path in tmp_path.iterdir()] == ["app"]


def test_zipped_bundle_and_another_artifact(
    digits_bundle: Path, engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.make_archive("digits.bundle", "zip", digits_bundle)
    found = run("phone", "digits.bundle.zip", "--artifact", "tflite-fp32", "--engine", engine)
    assert found.exit_code == 0, found.output
    # The default folder is named after the bundle.
    app = json.loads((tmp_path / "digits-app/app.json").read_text())
    assert app["artifact"] == "tflite-fp32"
    assert run("selftest", "digits-app/bundle").exit_code == 0


@pytest.mark.parametrize("name", ["Blumen “é” 花", 'a"b</script><b>', "x" * 300, "-", "\u202eevil"])
def test_any_name_of_a_bundle(own_digits_bundle: Path, engine: Path, tmp_path: Path, name: str) -> None:
    edit(own_digits_bundle / "manifest.json", lambda record: record.update(name=name))
    page = tmp_path / "app.html"
    found = run(
        "phone", own_digits_bundle, "--out", tmp_path / "app", "--single-file", page, "--engine", engine
    )
    assert found.exit_code == 0, found.output
    assert json.loads((tmp_path / "app/app.json").read_text())["name"] == name
    manifest = json.loads((tmp_path / "app/manifest.webmanifest").read_text(encoding="utf-8"))
    assert manifest["name"] == name
    assert 0 < len(manifest["short_name"]) <= 12
    assert "evil" not in page.read_text()
    assert "</script><b>" not in page.read_text()


def only_onnx(bundle: Path) -> None:
    edit(
        bundle / "manifest.json",
        lambda record: record.update(artifacts=[e for e in record["artifacts"] if e["format"] == "onnx"]),
    )


def only_float(bundle: Path) -> None:
    edit(
        bundle / "manifest.json",
        lambda record: record.update(artifacts=[e for e in record["artifacts"] if e["kind"] != KIND]),
    )


def failed(bundle: Path) -> None:
    edit(bundle / "manifest.json", lambda record: [e.update(verdict="fail") for e in record["artifacts"]])


def no_golden(bundle: Path) -> None:
    edit(bundle / "manifest.json", lambda record: record.update(golden=None))


def rehash_golden(bundle: Path, change: Callable[[Any], None]) -> None:
    edit(bundle / "golden/golden.json", change)
    sha256 = hashlib.sha256((bundle / "golden/golden.json").read_bytes()).hexdigest()
    edit(bundle / "manifest.json", lambda record: record["golden"].update(sha256=sha256))


def empty_golden(bundle: Path) -> None:
    rehash_golden(bundle, lambda record: record.update(examples=[]))


def no_scores(bundle: Path) -> None:
    rehash_golden(bundle, lambda record: record["examples"][2]["scores"].pop(KIND))


def changed_model(bundle: Path) -> None:
    model = bundle / "digits_int8.tflite"
    data = bytearray(model.read_bytes())
    data[1000] ^= 1
    model.write_bytes(data)


def changed_image(bundle: Path) -> None:
    (bundle / "golden/0.png").write_bytes(b"other")


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (only_onnx, 2, ("without tflite-int8", "onnx-fp32", "--artifacts tflite-int8")),
        (only_float, 2, ("without tflite-int8", "Pass --artifact tflite-fp32")),
        (failed, 1, ("failed its check", KIND)),
        (no_golden, 2, ("An app needs golden examples", "Export the bundle again")),
        (empty_golden, 2, ("An app needs golden examples", "without them")),
        (no_scores, 2, ("golden scores", KIND)),
        (changed_model, 2, ("sha256", "digits_int8.tflite")),
        (changed_image, 2, ("sha256", "golden/0.png")),
    ],
)
def test_bundle_that_cannot_be_an_app(
    own_digits_bundle: Path,
    engine: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
    code: int,
    words: tuple[str, ...],
) -> None:
    damage(own_digits_bundle)
    out, page = tmp_path / "app", tmp_path / "app.html"
    found = run("phone", own_digits_bundle, "--out", out, "--single-file", page, "--engine", engine)
    one_line(found, code, *words)
    assert [path.name for path in tmp_path.iterdir()] == ["digits.bundle"]


def test_failed_artifact_with_the_override(own_digits_bundle: Path, engine: Path, tmp_path: Path) -> None:
    failed(own_digits_bundle)
    words = ("phone", own_digits_bundle, "--out", tmp_path / "app", "--engine", engine, "--allow-failed")
    found = run(*words)
    assert found.exit_code == 0, found.output
    assert "(fail)" in found.stdout


def test_a_gray_model_is_supported(digits_app: Path) -> None:
    manifest = json.loads((digits_app / "bundle/manifest.json").read_text())
    assert manifest["input"]["channels"] == 1


def test_apk_alone(
    digits_bundle: Path, engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    apk = tmp_path / "digits.apk"
    words = ("phone", digits_bundle, "--engine", engine, "--apk")
    found = run(*words, apk, "--android-package", "org.example.digits")
    assert found.exit_code == 0, found.output
    with zipfile.ZipFile(apk) as package:
        inside = {name.removeprefix("assets/www/") for name in package.namelist() if "assets/www/" in name}
    assert {"index.html", "app.json", "bundle/manifest.json", "core.wasm"} <= inside
    # No folder: it was not asked for.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config", "digits.apk"]
    first = apk.read_bytes()
    assert run(*words, apk, "--android-package", "org.example.digits").exit_code == 0
    assert apk.read_bytes() == first


def test_apk_options_that_cannot_be_used_write_nothing(
    own_digits_bundle: Path, engine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    key = tmp_path / "key.pem"
    key.write_text("no key")
    words = ("phone", own_digits_bundle, "--engine", engine, "--out", tmp_path / "app")
    one_line(run(*words, "--apk-key", key), 2, "belongs to --apk")
    one_line(run(*words, "--android-package", "org.example"), 2, "Received: neither")
    one_line(run(*words, "--apk", tmp_path / "a.apk", "--apk-key", key), 2, str(key))
    one_line(run(*words, "--apk", tmp_path / "a.apk", "--android-package", "flowers"), 2, "'flowers'")
    one_line(run(*words, "--apk", tmp_path), 2, "--apk")
    edit(own_digits_bundle / "manifest.json", lambda record: record["provenance"].update(created="long ago"))
    one_line(run(*words, "--apk", tmp_path / "a.apk"), 2, "'long ago'")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits.bundle", "key.pem"]


def test_android_project_alone(digits_bundle: Path, engine: Path, tmp_path: Path) -> None:
    project = tmp_path / "android"
    words = ("phone", digits_bundle, "--engine", engine, "--android-project", project)
    found = run(*words, "--android-package", "org.example.digits")
    assert found.exit_code == 0, found.output
    assert json.loads((project / "app/src/main/assets/bundle/manifest.json").read_text())["name"] == "digits"
    assert '"org.example.digits"' in (project / "app/build.gradle.kts").read_text()
    assert run("selftest", project / "app/src/main/assets/bundle").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["android"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "build.gradle.kts").write_text("somebody's")
    one_line(run("phone", digits_bundle, "--android-project", other), 2, "--android-project")
    assert [path.name for path in other.iterdir()] == ["build.gradle.kts"]


def with_rules(bundle: Path) -> None:
    """Rules with a file of parameters, an extra output, and a cascade."""
    (bundle / "rules").mkdir()
    (bundle / "rules/int8.bin").write_bytes(PARAMETERS)
    known = {
        "score": "nearest", "threshold": 0.5, "kept": 0.95, "output": "features", "file": "rules/int8.bin",
        "sha256": hashlib.sha256(PARAMETERS).hexdigest(),
    }  # fmt: skip
    rules = {"images": 400, "data_sha256": "", "known": known, "sets": {"coverage": 0.9, "threshold": 0.1}}
    cascade = {
        "kind": "tflite-cascade", "first": KIND, "second": "tflite-fp32", "margin": 0.2, "passed_on": 0.1
    }  # fmt: skip

    def change(record: Any) -> None:
        record.update(schema_version=2, cascade=cascade)
        for entry in record["artifacts"]:
            if entry["kind"] == KIND:
                extra = {"name": "features", "dtype": "float32", "shape": [1, 64], "scale": None}
                entry.update(rules=rules, outputs=[extra])

    edit(bundle / "manifest.json", change)


PARAMETERS = b"SNKN"


def test_rules_go_into_the_app_with_their_file_and_a_cascade_does_not(
    own_digits_bundle: Path, engine: Path, tmp_path: Path
) -> None:
    with_rules(own_digits_bundle)
    words = ("phone", own_digits_bundle, "--engine", engine, "--json")
    found = run(*words, "--out", tmp_path / "app", "--single-file", tmp_path / "app.html")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["rules"] == ["sets", "known"]
    manifest = json.loads((tmp_path / "app/bundle/manifest.json").read_text())
    assert manifest["schema_version"] == 2
    assert "cascade" not in manifest
    assert manifest["artifacts"][0]["rules"]["known"]["file"] == "rules/int8.bin"
    assert (tmp_path / "app/bundle/rules/int8.bin").read_bytes() == PARAMETERS
    assert "bundle/rules/int8.bin" in json.loads((tmp_path / "app/app.json").read_text())["files"]
    assert "bundle/rules/int8.bin" in (tmp_path / "app.html").read_text()
    # Of the other artifact there are no rules: its app is of schema 1, which older apps read.
    found = run(*words, "--out", tmp_path / "full", "--artifact", "tflite-fp32")
    assert json.loads(found.stdout)["rules"] == []
    assert json.loads((tmp_path / "full/bundle/manifest.json").read_text())["schema_version"] == 1
    assert not (tmp_path / "full/bundle/rules").exists()


def test_the_kotlin_project_says_that_it_applies_no_rules(
    own_digits_bundle: Path, engine: Path, tmp_path: Path
) -> None:
    with_rules(own_digits_bundle)
    project = tmp_path / "android"
    found = run("phone", own_digits_bundle, "--engine", engine, "--android-project", project)
    assert found.exit_code == 0, found.output
    assert "Warning: the Kotlin project does not apply the rules" in found.stderr
    assert "rules" in (project / "README.md").read_text()


@pytest.mark.parametrize("change", [Path.unlink, lambda file: file.write_bytes(b"other")])
def test_a_rule_whose_file_is_missing_or_changed_makes_no_app(
    own_digits_bundle: Path, engine: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    with_rules(own_digits_bundle)
    change(own_digits_bundle / "rules/int8.bin")
    found = run("phone", own_digits_bundle, "--out", tmp_path / "app", "--engine", engine)
    one_line(found, 2, "rules/int8.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["digits.bundle"]


def test_a_cascade_is_two_artifacts_and_no_app(own_digits_bundle: Path, engine: Path, tmp_path: Path) -> None:
    with_rules(own_digits_bundle)
    words = ("phone", own_digits_bundle, "--out", tmp_path / "app", "--engine", engine)
    one_line(
        run(*words, "--artifact", "tflite-cascade"), 2, "a cascade is two", "Pass --artifact tflite-int8"
    )
