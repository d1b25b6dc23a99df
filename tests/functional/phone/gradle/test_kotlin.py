"""The Gradle project's own code, without a phone: compiled by Kotlin's compiler and CMake, run on a JVM.

Android, AndroidX and LiteRT are stand-ins; the core is the real one, behind JNI. Pictures are PNG files,
which every decoder reads to the same values.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.classifier import Classifier
from edge_runtime.golden import image_hashes, read_golden
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.phone_report import check_report_of, read_phone_report
from phone.apk import package_name
from phone.gradle import write_project

HERE = Path(__file__).resolve().parent
COMPILER = Path(sys.prefix) / "acceptance" / "kotlin" / "node_modules" / "kotlin-compiler" / "lib"
JSON = Path("/usr/share/java/com.android.json.jar")
SOURCES = "app/src/main/java/dev/snapship"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, digits_bundle: Path) -> Path:
    out = tmp_path_factory.mktemp("gradle") / "project"
    write_project(
        reduced(digits_bundle),
        out,
        label="Digits",
        package=package_name("digits"),
        version_code=1,
        version_name="1",
        icon_png=b"icon",
    )
    return out


def reduced(bundle: Path) -> dict[str, bytes]:
    """The bundle with its int8 artifact alone, as an app has it."""
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["artifacts"] = [entry for entry in manifest["artifacts"] if entry["kind"] == "tflite-int8"]
    kept = {manifest["artifacts"][0]["file"], "labels.txt"}
    files = {name: (bundle / name).read_bytes() for name in kept}
    files |= {f"golden/{file.name}": file.read_bytes() for file in (bundle / "golden").iterdir()}
    return files | {"manifest.json": json.dumps(manifest).encode()}


@pytest.fixture(scope="module")
def library(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    for name, package in (("cmake", "cmake"), ("cc", "gcc"), ("javac", "default-jdk-headless")):
        if shutil.which(name) is None:
            pytest.skip(f"needs {name} of Debian's {package}")
    build = tmp_path_factory.mktemp("native")
    source = project / "app/src/main/cpp"
    for command in (
        ["cmake", "-S", source, "-B", build, "-DCMAKE_C_FLAGS=-Wall -Wextra -Werror"],
        ["cmake", "--build", build],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "libsnapship.so"


@pytest.fixture(scope="module")
def program(project: Path, library: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    if not COMPILER.is_dir() or not JSON.is_file():
        pytest.skip("needs Kotlin's compiler of make acceptance, and Debian's libandroid-json-java")
    folder = tmp_path_factory.mktemp("kotlin")
    source, out = folder / "source", folder / "out"
    for part in re.split(r"^==== ", (HERE / "android_classes.txt").read_text("utf-8"), flags=re.M)[1:]:
        name, code = part.split("\n", 1)
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(code, encoding="utf-8")
    standard = f"{COMPILER / 'kotlin-stdlib.jar'}:{JSON}"
    java = list(source.rglob("*.java"))
    kotlin = [*source.rglob("*.kt"), *(project / SOURCES).iterdir(), HERE / "JvmRun.kt"]
    for command in (
        ["java", "-cp", f"{COMPILER}/*", "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-no-stdlib",
         "-no-reflect", "-Werror", "-classpath", standard, "-d", out, *java, *kotlin],
        ["javac", "-nowarn", "-cp", f"{out}:{standard}", "-d", out, *java],
    ):  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return [
        "java",
        f"-Djava.library.path={library.parent}",
        "-cp",
        f"{out}:{standard}",
        "dev.snapship.JvmRunKt",
    ]


def run(program: list[str], what: str, job: object, tmp_path: Path) -> object:
    file = tmp_path / "job.json"
    file.write_text(json.dumps(job))
    done = subprocess.run([*program, what, file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_native_methods_are_those_of_the_library(project: Path, library: Path) -> None:
    names = re.findall(r"external fun (\w+)\(", (project / SOURCES / "Core.kt").read_text("utf-8"))
    symbols = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True).stdout
    assert sorted(names) == sorted(re.findall(r" T Java_dev_snapship_Core_(\w+)", symbols))
    # What is not called from outside is not visible there.
    assert re.findall(r" T (?!Java_)(\w+)", symbols) == []


def test_pixels_are_those_of_python(program: list[str], tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    files = {}
    for mode, shape in (
        ("RGB", (61, 83, 3)),
        ("RGBA", (37, 20, 4)),
        ("L", (24, 24)),
        ("wide", (700, 1500, 3)),
    ):
        values = random.integers(0, 256, shape, dtype=np.uint8)
        files[mode] = tmp_path / f"{mode}.png"
        Image.fromarray(values).save(files[mode])
    jobs, expected = [], []
    for mode, orientation in [("RGB", each) for each in range(-1, 9)] + [("RGBA", 6), ("L", 1), ("wide", 6)]:
        for channels, fit, resize in (
            (3, "stretch", "antialiased"),
            (3, "crop", "plain"),
            (1, "crop", "antialiased"),
        ):
            spec = InputSpec(24, 32, channels, fit, resize)  # type: ignore[arg-type]
            file = files[mode]
            jobs.append(
                {"file": str(file), "orientation": orientation, "width": 32, "height": 24, "channels": channels,
                 "crop": fit == "crop", "plain": resize == "plain"}
            )  # fmt: skip
            turned = tmp_path / "turned.png"
            with Image.open(file) as picture:
                picture.getexif()[0x0112] = max(orientation, 1)
                ImageOps.exif_transpose(picture).save(turned, exif=b"")
            expected.append(list(image_hashes(turned.read_bytes(), spec)))
    assert len({tuple(pair) for pair in expected}) > 30
    assert run(program, "pixels", {"jobs": jobs}, tmp_path) == expected


@pytest.mark.parametrize("broken", [None, "scores", "pixels", "file"])
def test_replay_finds_the_stage_that_differs(
    program: list[str], project: Path, tmp_path: Path, broken: str | None
) -> None:
    place = tmp_path / "bundle"
    shutil.copytree(project / "app/src/main/assets/bundle", place)
    bundle = Bundle.open(place)
    examples = read_golden(bundle).examples
    with Classifier(bundle, bundle.artifact("tflite-int8")) as classifier:
        pixels = [classifier.pixels(bundle.read(example.file, example.sha256)) for example in examples]
        scores = {hashlib.sha256(each.tobytes()).hexdigest(): classifier.scores(each) for each in pixels}
    recorded = {key: [float(score) for score in found] for key, found in scores.items()}
    if broken == "scores":
        recorded[examples[1].pixels_sha256] = recorded[examples[0].pixels_sha256]
    elif broken == "pixels":
        _change_golden(place, examples[1].pixels_sha256)
    elif broken == "file":
        (place / examples[1].file).write_bytes(b"changed")
    job = {"bundle": str(place), "scores": recorded, "shape": [1, 16, 16, 1], "profiles": []}
    found = run(program, "replay", job, tmp_path)
    assert isinstance(found, dict)
    report = found["report"]
    assert [entry["failed"] for entry in report["examples"]] == [
        broken if at == 1 else None for at in range(len(examples))
    ]
    assert report["passed"] is (broken is None)
    assert all(entry["max_abs_dp"] < 1e-5 for entry in report["examples"] if entry["failed"] is None)
    assert found["answer"][0] == examples[0].label
    assert len(found["answer"]) == 3
    (tmp_path / "report.json").write_text(json.dumps(report))
    check_report_of(Bundle.open(place), read_phone_report(tmp_path / "report.json"), tmp_path)


def _change_golden(place: Path, digest: str) -> None:
    file = place / "golden" / "golden.json"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_text(file.read_text().replace(digest, "0" * 64))
    manifest = place / "manifest.json"
    manifest.write_text(manifest.read_text().replace(before, hashlib.sha256(file.read_bytes()).hexdigest()))


def test_profiles_are_dropped_and_nothing_else(program: list[str], project: Path, tmp_path: Path) -> None:
    picture = Image.fromarray(np.arange(300, dtype=np.uint8).reshape(10, 10, 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    files, expected = [], []
    for ending, options in (("jpg", {"quality": 90}), ("png", {})):
        for name, extra in (("with", {"icc_profile": b"profile" * 100}), ("without", {})):
            file = tmp_path / f"{name}.{ending}"
            picture.save(file, exif=exif, **options, **extra)  # type: ignore[arg-type]
            files.append(str(file))
            expected.append(
                hashlib.sha256((tmp_path / f"without.{ending}").read_bytes()).hexdigest()
                if name == "without"
                else ""
            )
    expected[0], expected[2] = expected[1], expected[3]
    # What is no picture, or ends early, stays as it is.
    for name, data in (
        ("empty", b""),
        ("cut.jpg", Path(files[0]).read_bytes()[:30]),
        ("cut.png", Path(files[2]).read_bytes()[:40]),
    ):
        (tmp_path / name).write_bytes(data)
        files.append(str(tmp_path / name))
        expected.append(hashlib.sha256(data).hexdigest())
    job = {
        "bundle": str(project / "app/src/main/assets/bundle"),
        "scores": {},
        "shape": [1, 16, 16, 1],
        "profiles": files,
    }
    found = run(program, "replay", job, tmp_path)
    assert isinstance(found, dict)
    assert found["profiles"] == expected
