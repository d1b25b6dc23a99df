"""What is in a package, what is refused, and the container of the same files."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

from edge_runtime.bundle.bundle import file_sha256
from serverless.deploy.config.errors import DownloadError, LimitError, SelfCheckError
from serverless.deploy.config.rules import Arch
from serverless.deploy.package import PackageConfig, WrittenPackage, package
from serverless.deploy.package.interpreters import Interpreter
from serverless.deploy.package.package_files import read_record
from serverless.deploy.package.prune import RULES
from serverless.deploy.package.shared_libraries import MACHINES, linkage
from serverless.deploy.package.wheels import fetch, requirements

ROOT = Path(__file__).resolve().parents[4]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="runs a package, which is a Linux program"),
]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def test_package_is_small_and_its_golden_images_were_replayed(made: WrittenPackage, root: Path) -> None:
    assert made.checked == 6
    assert made.notes == ()
    model = next(part.zipped_bytes for part in made.sizes if part.name == "bundle")
    assert made.bytes - model <= 25 * 1024 * 1024
    assert sum(part.bytes for part in made.sizes) == made.unzipped_bytes
    assert made.unzipped_bytes == sum(path.stat().st_size for path in root.rglob("*") if path.is_file())


def test_package_is_the_same_byte_for_byte_from_another_folder(
    made: WrittenPackage, cache: Path, own_digits_bundle: Path, tmp_path: Path
) -> None:
    """By the command, in a process with other settings, whose cache is the same wheels by another name."""
    elsewhere = tmp_path / "another folder"
    (elsewhere / "snapship").mkdir(parents=True)
    (elsewhere / "snapship" / "wheels").symlink_to(cache)
    words = [
        str(own_digits_bundle),
        "--out",
        "again.zip",
        "--arch",
        made.arch,
        "--python",
        made.python,
        "--json",
    ]
    done = subprocess.run(
        [sys.executable, "-c", "from serverless.deploy.package.cli import package; package()", *words],
        cwd=elsewhere,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XDG_CACHE_HOME": str(elsewhere),
            "TMPDIR": str(elsewhere),
            "PYTHONHASHSEED": "7",
            "PYTHONOPTIMIZE": "2",
            "SNAPSHIP_THREADS": "many",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Replaying the golden images" in done.stderr
    printed = json.loads(done.stdout)
    with zipfile.ZipFile(made.path) as first, zipfile.ZipFile(elsewhere / "again.zip") as again:
        assert first.namelist() == again.namelist()
        assert not [name for name in first.namelist() if first.read(name) != again.read(name)]
    assert printed["sha256"] == made.sha256
    assert hashlib.sha256((elsewhere / "again.zip").read_bytes()).hexdigest() == made.sha256
    assert sorted(path.name for path in elsewhere.iterdir()) == ["again.zip", "snapship"]


def test_package_that_answers_differently_is_not_written(
    cache: Path, made: WrittenPackage, own_digits_bundle: Path, tmp_path: Path
) -> None:
    """Golden examples that expect other scores, with hashes that say so."""
    path = own_digits_bundle / "golden" / "golden.json"
    golden = json.loads(path.read_text())
    scores = golden["examples"][0]["scores"]["tflite-int8"]
    scores[0], scores[1] = scores[1], scores[0]
    path.write_text(json.dumps(golden))
    manifest = json.loads((own_digits_bundle / "manifest.json").read_text())
    manifest["golden"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (own_digits_bundle / "manifest.json").write_text(json.dumps(manifest))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(SelfCheckError, match=r"golden/0\.png at stage scores") as caught:
        package(PackageConfig(own_digits_bundle, out / "lambda.zip", made.arch, made.python, cache=cache))
    assert caught.value.exit_code == 1
    assert not list(out.iterdir())


def test_package_over_lambdas_limit_is_refused_with_the_numbers(
    cache: Path, made: WrittenPackage, own_digits_bundle: Path, tmp_path: Path
) -> None:
    model = own_digits_bundle / "digits_int8.tflite"
    with model.open("r+b") as file:
        file.truncate(200 * 1024 * 1024)
    manifest = json.loads((own_digits_bundle / "manifest.json").read_text())
    for artifact in manifest["artifacts"]:
        if artifact["file"] == model.name:
            artifact["bytes"], artifact["sha256"] = model.stat().st_size, file_sha256(model)
    (own_digits_bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(
        LimitError, match=r"at most 250 MB. Received: 2\d\d\.\d MB \(in MB: bundle 200\.0, numpy"
    ):
        package(
            PackageConfig(own_digits_bundle, tmp_path / "lambda.zip", made.arch, made.python, cache=cache)
        )
    assert not list(tmp_path.glob("*.zip"))


def test_package_for_the_other_processor_is_checked_without_running_it(
    cache: Path, made: WrittenPackage, digits_bundle: Path, tmp_path: Path
) -> None:
    arch: Arch = "x86_64" if made.arch == "arm64" else "arm64"
    try:
        other = package(PackageConfig(digits_bundle, tmp_path / "other.zip", arch, made.python, cache=cache))
    except DownloadError as error:
        pytest.skip(f"needs wheels: {error}")
    assert other.checked == 0
    assert any(arch in note and "Not replayed" in note for note in other.notes)
    assert other.bytes <= 25 * 1024 * 1024
    with zipfile.ZipFile(other.path) as archive:
        links = [linkage(archive.read(name)) for name in archive.namelist() if ".so" in name]
    assert {link.machine for link in links if link is not None} == {MACHINES[arch]}
    assert None not in links


def test_package_without_its_python_says_what_was_not_done(
    cache: Path, made: WrittenPackage, digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if f"{sys.version_info.major}.{sys.version_info.minor}" == made.python:
        pytest.skip("the tests run on the package's own Python")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    config = PackageConfig(digits_bundle, tmp_path / "plain.zip", made.arch, made.python, cache=cache)
    plain = package(config)
    assert plain.checked == 0
    assert [note.split(":")[0] for note in plain.notes] == ["Not compiled", "Not replayed"]
    with zipfile.ZipFile(plain.path) as archive:
        names = archive.namelist()
        written = read_record(archive.read("snapship-package.json"))
    assert not [name for name in names if name.endswith(".pyc")]
    assert "serverless/app/entry.py" in names
    assert written.precompiled == ""


def test_package_names_no_path_of_this_machine(root: Path) -> None:
    places = (ROOT, Path.home(), root.parent, sys.prefix, "snapship-package-")
    own = [str(place).encode() for place in places]
    # A wheel's libraries name the machine that its makers built it on, which may be called the same.
    made_here = [path for path in root.rglob("*") if path.is_file() and ".so" not in path.name]
    assert len(made_here) > 300
    assert not [path for path in made_here if any(word in path.read_bytes() for word in own)]


def test_every_module_is_compiled_for_the_function(
    made: WrittenPackage, root: Path, interpreter: Interpreter
) -> None:
    magic = subprocess.check_output(
        [
            interpreter.path,
            "-I",
            "-c",
            "import importlib.util, sys; sys.stdout.buffer.write(importlib.util.MAGIC_NUMBER)",
        ]
    )
    assert not list(root.rglob("*.py"))
    modules = list(root.rglob("*.pyc"))
    assert len(modules) > 300
    for module in modules:
        # PEP 552: the magic number, then 1 for a hash that is not compared at import.
        assert module.read_bytes()[:8] == magic + b"\x01\x00\x00\x00", module
    inside = (root / "edge_runtime" / "bundle" / "bundle.pyc").read_bytes()
    assert b"/var/task/edge_runtime/bundle/bundle.py" in inside


def test_container_serves_the_same_files_by_itself(
    made: WrittenPackage,
    interpreter: Interpreter,
    cache: Path,
    digits_bundle: Path,
    images: list[bytes],
    tmp_path: Path,
) -> None:
    context = tmp_path / "context"
    config = PackageConfig(digits_bundle, None, made.arch, made.python, image=context, cache=cache)
    assert package(config).checked == 6
    script = re.search(r"--entrypoint \S+ NAME (\S+)", (context / "Dockerfile").read_text())
    assert script is not None
    port = free_port()
    process = subprocess.Popen(
        [str(interpreter.path), "-s", "-S", "-B", script[1]],
        cwd=context / "task",
        env={"PORT": str(port), "PYTHONUNBUFFERED": "1"},
    )
    try:
        url = f"http://127.0.0.1:{port}/classify"
        headers = {"content-type": "image/png"}
        transport = httpx.HTTPTransport(retries=12)
        with httpx.Client(transport=transport, timeout=30) as client:
            answer = client.post(url, content=images[5], headers=headers)
        assert answer.json()["label"] == "5"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()


def test_every_rule_of_pruning_still_finds_something(cache: Path, made: WrittenPackage) -> None:
    found: set[str] = set()
    try:
        for format in ("tflite", "onnx"):
            for wheel in fetch(requirements(format), made.arch, made.python, cache):
                with zipfile.ZipFile(wheel.path) as archive:
                    names = archive.namelist()
                found |= {rule.pattern for rule in RULES for name in names if rule.drops(wheel.name, name)}
    except DownloadError as error:
        pytest.skip(f"needs wheels: {error}")
    assert {rule.pattern for rule in RULES} - found == set()
