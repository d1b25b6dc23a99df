"""The app's shell: rebuilt from its source, and run on a JVM against stand-ins for Android's classes."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
DEX = files("phone.apk").joinpath("classes.dex")
SMALI = files("phone.apk").joinpath("smali")
PAGES = {
    "www/index.html": "page",
    "www/classify/worker.js": "worker",
    "www/ui/main.mjs": "module",
    "www/core.wasm": "wasm",
    "www/ein Bild.jpg": "picture",
    "www/manifest.webmanifest": "manifest",
    "www/LICENSE": "licence",
    "secret.txt": "secret",
}


def _tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name} of Debian's {package}")
    return found


def test_dex_is_what_its_source_gives(tmp_path: Path) -> None:
    smali = _tool("smali", "libsmali-java")
    version = subprocess.run([smali, "--version"], capture_output=True, text=True).stdout
    if "2.5.2" not in version:
        pytest.skip(f"needs smali 2.5.2, which classes.dex was made with: {version.strip()[:60]}")
    built = tmp_path / "classes.dex"
    # With more than one job, smali does not always write the same file.
    subprocess.run([smali, "a", "--api", "24", "--jobs", "1", "-o", built, str(SMALI)], check=True)
    assert built.read_bytes() == DEX.read_bytes(), "Run: make dex"


def test_dexdump_reads_every_class() -> None:
    done = subprocess.run(
        [_tool("dexdump", "dexdump"), "-d", str(DEX)], capture_output=True, text=True, check=True
    )
    names = re.findall(r"Class descriptor  : 'Lapp/snapship/shell/(\w+);'", done.stdout)
    assert sorted(names) == ["Bars", "Chrome", "Client", "Files", "MainActivity", "Sharing"]
    assert sorted(f"{name}.smali" for name in names) == sorted(file.name for file in SMALI.iterdir())
    # Nothing in it reaches a network, loads code, or gives the page an object of Java.
    for word in ("Ljava/net/", "DexClassLoader", "addJavascriptInterface", "setWebContentsDebuggingEnabled"):
        assert word not in done.stdout


def test_shell_does_what_android_and_the_page_ask(tmp_path: Path) -> None:
    javac = _tool("javac", "default-jdk-headless")
    jar = _as_jar(tmp_path)
    source, classes, assets, cache = (tmp_path / name for name in ("source", "classes", "assets", "cache"))
    for part in re.split(r"^==== ", (HERE / "android_classes.txt").read_text("utf-8"), flags=re.M)[1:]:
        name, code = part.split("\n", 1)
        _write(source / name, code)
    _write(source / "app/snapship/shell/ShellRun.java", (HERE / "ShellRun.java").read_text("utf-8"))
    for name, content in PAGES.items():
        _write(assets / name, content)
    cache.mkdir()
    subprocess.run([javac, "-nowarn", "-cp", jar, "-d", classes, *source.rglob("*.java")], check=True)
    # Every method passes the JVM's verifier: no register is used as what it is not.
    command = [
        "java",
        "-Xverify:all",
        "-cp",
        f"{classes}:{jar}",
        "app.snapship.shell.ShellRun",
        assets,
        cache,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == (HERE / "shell_run.txt").read_text("utf-8").splitlines()


def _as_jar(tmp_path: Path) -> Path:
    script = _tool("enjarify", "enjarify")
    jar = tmp_path / "shell.jar"
    # Debian's package is for Debian's Python, which need not be the first of the PATH.
    done = subprocess.run(
        [script, "-o", jar, str(DEX)], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    assert "0 classes had errors" in done.stdout + done.stderr, done.stderr
    return jar


def _write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
