"""Packages, as Debian's own Android tools see them."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.common.errors import SnapshipError, UsageError
from tests.functional.phone.apk.conftest import PAGE, icon

LABEL = "Blümchen „hell“ \"q\" 's' & <b> 🌼"


def run(*command: object, fails: bool = False) -> str:
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"needs {command[0]} of Debian's package of that name")
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_package_verifies_by_both_schemes(make: Callable[..., Path]) -> None:
    report = run("apksigner", "verify", "--verbose", "--print-certs", make())
    assert "v2 scheme (APK Signature Scheme v2): true" in report
    assert "v3 scheme (APK Signature Scheme v3): true" in report
    assert "WARNING" not in report
    # Android 7 and 8 know v2 alone.
    run("apksigner", "verify", "--min-sdk-version", "24", "--max-sdk-version", "27", make())


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9999])
def test_changed_byte_is_refused(make: Callable[..., Path], place: float) -> None:
    apk = make()
    data = bytearray(apk.read_bytes())
    data[int(len(data) * place)] ^= 1
    apk.write_bytes(data)
    run("apksigner", "verify", apk, fails=True)


def test_v3_signature_cannot_be_taken_out(make: Callable[..., Path]) -> None:
    apk = make()
    data = apk.read_bytes()
    found = data.index(bytes.fromhex("c06853f0"))
    apk.write_bytes(data[:found] + b"\x01\x02\x03\x04" + data[found + 4 :])
    assert "stripped" in run("apksigner", "verify", "--verbose", apk, fails=True)


def test_aapt_reads_names_versions_and_permissions(make: Callable[..., Path]) -> None:
    badging = run("aapt", "dump", "badging", make(label=LABEL))
    assert "package: name='app.snapship.flowers' versionCode='7' versionName='1.2'" in badging
    assert "sdkVersion:'24'\ntargetSdkVersion:'35'" in badging
    assert re.findall(r"uses-permission: name='(.*)'", badging) == ["android.permission.CAMERA"]
    assert re.findall(r"uses-feature: name='(.*)'", badging) == ["android.hardware.faketouch"]
    assert "application-label:'" + LABEL.replace('"', '\\"') + "'" in badging
    assert "launchable-activity: name='app.snapship.shell.MainActivity'" in badging
    assert "application-icon-640:'res/icon.xml'" in badging


def test_aapt2_reads_icon_and_themes(make: Callable[..., Path]) -> None:
    resources = run("aapt2", "dump", "resources", make(label=LABEL))
    assert f'() "{LABEL}"' in resources
    assert "(xxxhdpi) (file) res/icon.png type=PNG" in resources
    assert "(anydpi-v26) (file) res/icon.xml type=XML" in resources
    assert "() #ff0a5ac8" in resources
    assert re.search(r"\(\) \(style\) size=5 parent=0x01030241", resources)
    assert re.search(r"\(night\) \(style\) size=5 parent=0x0103022e", resources)


def test_manifest_and_icon_are_xml_that_aapt_reads(make: Callable[..., Path]) -> None:
    apk = make()
    manifest = run("aapt", "dump", "xmltree", apk, "AndroidManifest.xml")
    assert "INTERNET" not in manifest
    assert 'android:authorities(0x01010018)="app.snapship.flowers.files"' in manifest
    # The activity is exported to the launcher, the provider to nobody.
    assert re.findall(r"exported\(0x01010010\)=\(type 0x12\)(\w+)", manifest) == ["0xffffffff", "0x0"]
    assert "android:inset(0x010104b5)=(type 0x6)0x15555530" in run(
        "aapt", "dump", "xmltree", apk, "res/icon.xml"
    )


def test_zip_is_sound_and_stored_entries_are_aligned(make: Callable[..., Path]) -> None:
    apk = make()
    assert "No errors detected" in run("unzip", "-tq", apk)
    run("zipalign", "-c", "4", apk)
    with zipfile.ZipFile(apk) as archive:
        kinds = {info.filename: info.compress_type for info in archive.infolist()}
    assert kinds["resources.arsc"] == zipfile.ZIP_STORED
    assert kinds["assets/www/icons/icon.png"] == zipfile.ZIP_STORED
    assert kinds["assets/www/core.wasm"] == zipfile.ZIP_DEFLATED


def test_page_gets_the_bridge_before_its_own_scripts(make: Callable[..., Path]) -> None:
    files = {"index.html": PAGE, "a.js": b"1", "sw.js": b"2"}
    with zipfile.ZipFile(make(files=files)) as archive:
        names = {name.removeprefix("assets/www/") for name in archive.namelist() if "www" in name}
        page = archive.read("assets/www/index.html")
    assert names == {"index.html", "a.js", "android.js"}
    assert page.index(b'<script src="android.js"></script>') < page.index(b"<script src='a.js'>")


def test_same_input_gives_the_same_bytes(make: Callable[..., Path]) -> None:
    assert make("a.apk").read_bytes() == make("b.apk").read_bytes()


def test_large_app(make: Callable[..., Path]) -> None:
    noise = random.Random(1).randbytes(7_000_000)
    apk = make(files={"index.html": PAGE, "engine.wasm": noise, "photo.jpg": noise[:1_500_001]})
    run("apksigner", "verify", apk)
    run("zipalign", "-c", "4", apk)
    with zipfile.ZipFile(apk) as archive:
        assert archive.read("assets/www/engine.wasm") == noise


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"label": " "}, "An app's name must have 1 to 100 printable characters."),
        ({"label": "a\nb"}, "An app's name must have"),
        ({"package": "flowers"}, "An Android package must be two or more words"),
        ({"package": "app.1.x"}, "An Android package must be"),
        ({"version_code": 0}, "An Android version code must be 1 to 2100000000. Received: 0."),
        ({"icon_png": b"x"}, "An app's icon must be a PNG."),
        ({"icon_png": icon((10, 20))}, "An app's icon must be square. Received: 10x20 pixels."),
        ({"files": {}}, "A web app must have a page index.html."),
        ({"files": {"index.html": b"<p>"}}, "A page must have a head."),
        ({"files": {"index.html": PAGE, "android.js": b""}}, "A file of a web app must have a plain"),
        ({"files": {"index.html": PAGE, "a/../b": b""}}, "must lie inside"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    make: Callable[..., Path], tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    with pytest.raises(SnapshipError, match=re.escape(message)) as caught:
        make(**changed)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_folder_as_output_is_refused(make: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "app.apk").mkdir()
    with pytest.raises(UsageError, match="--apk"):
        make()
