"""``pull``: what is installed, what is refused, and what stays as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_runtime import Bundle, Classifier, selftest
from edge_runtime.common.errors import BundleError, EnvironmentMissingError, GateFailedError, UsageError
from edge_runtime.golden import verify_files
from edge_runtime.updates import PublicKey, pull, rollback, sign
from snapship.cli import cli

ROOT = Path(__file__).resolve().parents[4]
MakeBundle = Callable[[str], Path]


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def name_of(home: Path) -> str:
    return Bundle.open(home / "current").manifest.name


def state(home: Path) -> dict[str, str]:
    """Every file and link of a folder of versions."""
    found = {}
    for place, folders, files in os.walk(home):
        for name in (*folders, *files):
            path = Path(place, name)
            link = os.readlink(path) if path.is_symlink() else str(path.stat().st_size)
            found[str(path.relative_to(home))] = link if path.is_symlink() or path.is_file() else "folder"
    return found


def break_scores(bundle: Path) -> None:
    """Makes the self-test fail with every hash right: golden scores that the model does not give."""
    import hashlib

    golden = json.loads((bundle / "golden/golden.json").read_text())
    golden["examples"][0]["scores"]["tflite-int8"].reverse()
    (bundle / "golden/golden.json").write_text(json.dumps(golden))
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["golden"]["sha256"] = hashlib.sha256((bundle / "golden/golden.json").read_bytes()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def test_pull_installs_a_bundle_that_opens_and_keeps_one_previous(
    make_bundle: MakeBundle, zipped: Callable[[Path], Path], tmp_path: Path
) -> None:
    home = tmp_path / "device" / "models"
    first = pull(str(make_bundle("one")), home)
    assert (first.status, first.previous, first.replays, first.files) == ("installed", None, 6, 8)
    second = pull(str(zipped(make_bundle("two"))), home)
    third = pull(str(make_bundle("three")), home)
    assert third.previous == second.version
    assert sorted(entry.name for entry in home.iterdir()) == [".lock", "current", "previous", "versions"]
    names = {name for version in (second.version, third.version) for name in (version, f"{version}.json")}
    assert {entry.name for entry in (home / "versions").iterdir()} == names
    with Classifier.open(home / "current") as classifier:
        assert classifier.bundle.manifest.name == "three"
    assert Bundle.open(home / "previous").manifest.name == "two"
    assert selftest(Bundle.open(home / "current")).passed


def test_pull_of_the_current_version_changes_nothing_and_says_so(
    make_bundle: MakeBundle, tmp_path: Path
) -> None:
    home = tmp_path / "models"
    bundle = make_bundle("one")
    pull(str(make_bundle("zero")), home)
    pull(str(bundle), home)
    before = state(home)
    assert pull(str(bundle), home).status == "unchanged"
    assert state(home) == before


def test_pull_installs_again_what_was_damaged_on_the_disk(make_bundle: MakeBundle, tmp_path: Path) -> None:
    home = tmp_path / "models"
    bundle = make_bundle("one")
    first = pull(str(bundle), home)
    model = home / "current" / "digits_int8.tflite"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    again = pull(str(bundle), home)
    assert (again.status, again.version) == ("installed", f"{first.version}-2")
    verify_files(Bundle.open(home / "current"))


def test_rollback_goes_back_and_forth(make_bundle: MakeBundle, tmp_path: Path) -> None:
    home = tmp_path / "models"
    first = pull(str(make_bundle("one")), home)
    with pytest.raises(UsageError, match="needs a previous version"):
        rollback(home)
    second = pull(str(make_bundle("two")), home)
    for current, previous in ((first, second), (second, first)):
        done = rollback(home)
        assert (done.status, done.version, done.previous) == (
            "rolled back",
            current.version,
            previous.version,
        )
        assert name_of(home) == current.name
        assert Bundle.open(home / "previous").manifest.name == previous.name


def test_failed_selftest_changes_nothing(make_bundle: MakeBundle, tmp_path: Path) -> None:
    home = tmp_path / "models"
    pull(str(make_bundle("good")), home)
    before = state(home)
    bad = make_bundle("bad")
    break_scores(bad)
    with pytest.raises(GateFailedError, match=r"1 of 6 replays differ, first golden/0.png.*scores"):
        pull(str(bad), home)
    assert state(home) == before
    assert run("pull", bad, "--to", home).exit_code == 1


def test_recheck_that_fails_after_the_switch_switches_back(make_bundle: MakeBundle, tmp_path: Path) -> None:
    home = tmp_path / "models"

    def rot(step: str) -> None:
        if step == "switched":
            assert name_of(home) == "two"
            model = home / "current" / "digits_int8.tflite"
            model.write_bytes(model.read_bytes()[:-1] + b"x")

    two = str(make_bundle("two"))
    with pytest.raises(BundleError, match="digits_int8"):
        pull(two, home, recheck=True, after=rot)
    assert not os.path.lexists(home / "current")
    pull(str(make_bundle("zero")), home)
    pull(str(make_bundle("one")), home)
    before = state(home)
    with pytest.raises(BundleError, match="digits_int8"):
        pull(two, home, recheck=True, after=rot)
    assert name_of(home) == "one"
    assert state(home) == before
    assert pull(two, home, recheck=True).status == "installed"


def test_key_refuses_what_it_did_not_sign(
    make_bundle: MakeBundle, private_key: Path, public_keys: tuple[PublicKey, ...], tmp_path: Path
) -> None:
    home = tmp_path / "models"
    bundle = make_bundle("one")
    with pytest.raises(BundleError, match=r"without signature\.json"):
        pull(str(bundle), home, keys=public_keys)
    sign(bundle, private_key)
    assert not pull(str(bundle), home).trusted
    done = pull(str(bundle), home, keys=public_keys)
    assert (done.status, done.trusted, done.signature) == ("unchanged", True, public_keys[0].id)
    before = state(home)
    manifest = bundle / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"name": "one"', '"name": "two"'))
    with pytest.raises(BundleError, match="changed after key"):
        pull(str(bundle), home, keys=public_keys)
    assert state(home) == before


@pytest.mark.parametrize("file", ["digits_int8.tflite", "golden/golden.json", "golden/3.png", "labels.txt"])
def test_changed_file_of_a_signed_bundle_is_refused(
    make_bundle: MakeBundle,
    private_key: Path,
    public_keys: tuple[PublicKey, ...],
    tmp_path: Path,
    file: str,
) -> None:
    bundle = make_bundle("one")
    sign(bundle, private_key)
    data = bytearray((bundle / file).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / file).write_bytes(data)
    with pytest.raises(BundleError, match=file.replace(".", r"\.")):
        pull(str(bundle), tmp_path / "models", keys=public_keys)
    assert not os.path.lexists(tmp_path / "models" / "current")


def test_pull_takes_nothing_that_the_manifest_does_not_name(
    make_bundle: MakeBundle, zipped: Callable[[Path], Path], tmp_path: Path
) -> None:
    bundle = make_bundle("one")
    (bundle / "extra.sh").write_text("echo")
    (bundle / "check.json").write_text("{}")
    archive = zipped(bundle)
    pull(str(archive), tmp_path / "models")
    current = tmp_path / "models" / "current"
    assert sorted(entry.name for entry in current.iterdir()) == [
        "digits_int8.tflite",
        "golden",
        "labels.txt",
        "manifest.json",
    ]
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr("../escape.txt", "")
    with pytest.raises(BundleError, match="must lie inside the bundle"):
        pull(str(archive), tmp_path / "models")


def test_manifest_that_names_a_file_twice_is_refused(make_bundle: MakeBundle, tmp_path: Path) -> None:
    bundle = make_bundle("one")
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["golden"]["file"] = "labels.txt/golden.json"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError):
        pull(str(bundle), tmp_path / "models")
    manifest["golden"]["file"] = "labels.txt"
    import hashlib

    manifest["golden"]["sha256"] = hashlib.sha256((bundle / "labels.txt").read_bytes()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="each file once"):
        pull(str(bundle), tmp_path / "models")


def test_bundle_over_the_limit_is_refused(make_bundle: MakeBundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="at most 5,000 bytes"):
        pull(str(make_bundle("one")), tmp_path / "models", max_bytes=5000)


def test_second_pull_at_once_is_told(make_bundle: MakeBundle, tmp_path: Path) -> None:
    home = tmp_path / "models"
    one, two = make_bundle("one"), make_bundle("two")
    inside, go_on = threading.Event(), threading.Event()

    def wait(step: str) -> None:
        if step == "verified":
            inside.set()
            assert go_on.wait(30)

    slow = threading.Thread(target=lambda: pull(str(one), home, after=wait))
    slow.start()
    try:
        assert inside.wait(30)
        # Another process, as on a device.
        told = subprocess.run(
            [sys.executable, "-m", "snapship", "pull", str(two), "--to", str(home)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    finally:
        go_on.set()
        slow.join()
    assert told.returncode == 2
    assert "Only one pull may run at a time" in told.stderr
    assert name_of(home) == "one"


def test_foreign_files_are_never_touched(make_bundle: MakeBundle, tmp_path: Path) -> None:
    home = tmp_path / "models"
    (home / "versions" / "mine").mkdir(parents=True)
    (home / "notes.txt").write_text("keep")
    pull(str(make_bundle("one")), home)
    assert (home / "notes.txt").read_text() == "keep"
    assert (home / "versions" / "mine").is_dir()
    (tmp_path / "other" / "current").mkdir(parents=True)
    with pytest.raises(UsageError, match="not something else"):
        pull(str(make_bundle("two")), tmp_path / "other")
    with pytest.raises(UsageError, match="not something else"):
        pull(str(make_bundle("three")), make_bundle("four"))


def test_bad_sources_make_nothing(tmp_path: Path) -> None:
    home = tmp_path / "models"
    for source in (
        "nowhere.zip",
        "http://localhost/a.zip",
        "ftp://localhost/a.zip",
        "s3://bucket",
        "https://",
    ):
        shown = run("pull", source, "--to", home)
        assert shown.exit_code == 2, source
        assert shown.stderr.count("\n") == 1
    assert not home.exists()


def test_command_prints_what_it_did(
    make_bundle: MakeBundle, private_key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, bundle = tmp_path / "models", make_bundle("one")
    assert run("sign", bundle, "--key", private_key).exit_code == 0
    monkeypatch.setenv("SNAPSHIP_PUBLIC_KEY", str(private_key.with_suffix(".pub")))
    shown = run("pull", bundle, "--to", home)
    assert shown.exit_code == 0, shown.stderr
    assert "Installed one" in shown.stdout
    assert "verified" in shown.stdout
    record = json.loads(run("pull", bundle, "--to", home, "--json").stdout)
    assert record["status"] == "unchanged"
    assert record["trusted"] is True
    refused = run("pull", make_bundle("two"), "--to", home)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: A bundle must be signed by the configured key")
    assert run("pull", "--to", home).exit_code == 2
    assert run("pull", bundle, "--rollback", "--to", home).exit_code == 2


def test_s3_without_boto3_names_the_extra(tmp_path: Path) -> None:
    try:
        import boto3  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(EnvironmentMissingError, match=r"snapship\[s3\]"):
            pull("s3://bucket/a.zip", tmp_path / "models")
    else:
        pytest.skip("boto3 is installed")
