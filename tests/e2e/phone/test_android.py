"""The page inside an Android package: at the app's own address, it proves itself, classifies and shares."""

from __future__ import annotations

import base64
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization as pem

from phone.apk import SigningKey

HERE = Path(__file__).resolve().parent


def types() -> dict[str, str]:
    """The MIME types of the app's shell, by ending."""
    source = files("phone.apk").joinpath("smali", "Client.smali").read_text("utf-8")
    found = re.search(r'TYPES:Ljava/lang/String; = ";(.+);"', source)
    assert found
    return dict(pair.split("=") for pair in found[1].split(";"))


@contextmanager
def shell(package: Path, key: SigningKey, folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Answers as the app's shell does, from a package; gives the port, and what was missing."""
    known, missing = types(), []
    with zipfile.ZipFile(package) as archive:
        www = {
            name.removeprefix("assets/www/"): archive.read(name)
            for name in archive.namelist()
            if "/www/" in name
        }

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0][1:] or "index.html"
            data = www.get(path)
            if data is None:
                missing.append(path)
            self.send_response(404 if data is None else 200)
            self.send_header("Content-Type", known.get(path.rpartition(".")[2], "application/octet-stream"))
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *args: object) -> None:
            pass

    certificate = folder / "server.pem"
    private = key.private.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
    own = x509.load_der_x509_certificate(key.certificates[0])
    certificate.write_bytes(private + own.public_bytes(pem.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, missing
        finally:
            server.shutdown()
            thread.join()


def test_page_in_the_package_proves_itself_and_shares(
    digits_bundle: Path, phone_packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from phone.making import PhoneConfig, make_app

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    package = tmp_path / "app.apk"
    make_app(PhoneConfig(digits_bundle, apk=package, engine=phone_packages))
    photo = tmp_path / "photo.png"
    photo.write_bytes((digits_bundle / "golden" / "3.png").read_bytes())
    with shell(package, SigningKey.debug(), tmp_path) as (port, missing):
        done = subprocess.run(
            ["node", HERE / "android_page.mjs", phone_packages, str(port), photo],
            capture_output=True,
            text=True,
            env=os.environ | {"CHROMIUM": chromium},
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["proof"] == "same"
    assert (found["errors"], found["foreign"], missing, found["workers"]) == ([], [], [], 0)
    shared, saved = found["shared"]
    assert shared["text"].startswith("3 9")
    assert shared["type"] == "image/jpeg"
    assert base64.b64decode(shared["base64"])[:2] == b"\xff\xd8"
    assert (saved["name"].rpartition(".")[2], saved["type"].partition(";")[0]) == ("csv", "text/csv")
    assert "photo.png" in base64.b64decode(saved["base64"]).decode()


def test_every_file_of_an_app_has_a_type(digits_bundle: Path, phone_packages: Path, tmp_path: Path) -> None:
    from phone.making import PhoneConfig, make_app

    make_app(PhoneConfig(digits_bundle, tmp_path / "app", engine=phone_packages))
    endings = {file.suffix[1:] for file in (tmp_path / "app").rglob("*") if file.is_file()}
    assert endings - set(types()) == {"tflite"}
