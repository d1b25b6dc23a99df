"""Downloads from a real HTTPS server whose certificate is made here."""

from __future__ import annotations

import datetime
import ipaddress
import os
import pty
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from edge_runtime import Bundle
from edge_runtime.common.errors import BundleError, UsageError
from edge_runtime.updates import pull

ROOT = Path(__file__).resolve().parents[4]
MakeBundle = Callable[[str], Path]


@dataclass
class Site:
    """A server's pages: status, headers, body."""

    address: str = ""
    pages: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)


def certificate(folder: Path) -> Path:
    """A self-signed one for 127.0.0.1, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(private + signed.public_bytes(Encoding.PEM))
    return file


def serve(site: Site, pem: Path | None) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = site.pages.get(self.path.split("?")[0], (404, {}, b"none"))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    site.address = f"{'http' if pem is None else 'https'}://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def site(pem: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    made = Site()
    server = serve(made, pem)
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def archive(make_bundle: MakeBundle, zipped: Callable[[Path], Path]) -> bytes:
    return zipped(make_bundle("one")).read_bytes()


def page(body: bytes, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Length": str(len(body))} | headers, body


def test_https_source_is_installed(site: Site, archive: bytes, tmp_path: Path) -> None:
    site.pages["/one.zip"] = page(archive)
    site.pages["/moved"] = (302, {"Location": "/one.zip", "Content-Length": "0"}, b"")
    seen: list[tuple[int, int]] = []
    done = pull(
        f"{site.address}/moved?token=secret",
        tmp_path / "models",
        progress=lambda step, done, total: seen.append((done, total)),
    )
    assert done.status == "installed"
    assert done.source == f"{site.address}/moved"
    assert seen[-1] == (len(archive), len(archive))
    assert Bundle.open(tmp_path / "models" / "current").manifest.name == "one"
    everything = b"".join(file.read_bytes() for file in (tmp_path / "models").rglob("*.json"))
    assert b"secret" not in everything


def test_source_that_does_not_say_its_length_is_installed(site: Site, archive: bytes, tmp_path: Path) -> None:
    site.pages["/one.zip"] = (200, {}, archive)
    assert pull(f"{site.address}/one.zip", tmp_path / "models").status == "installed"


def test_untrusted_certificate_is_refused(
    site: Site, archive: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/one.zip"] = page(archive)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate(tmp_path)))
    with pytest.raises(UsageError, match="CERTIFICATE_VERIFY_FAILED"):
        pull(f"{site.address}/one.zip", tmp_path / "models")


def test_what_is_not_whole_not_there_or_no_bundle_is_refused(
    site: Site, archive: bytes, tmp_path: Path
) -> None:
    site.pages["/short"] = (200, {"Content-Length": str(len(archive))}, archive[:-100])
    site.pages["/page"] = page(b"<html>Sign in</html>")
    home = tmp_path / "models"
    with pytest.raises(UsageError, match=f"of {len(archive):,} bytes"):
        pull(f"{site.address}/short", home)
    with pytest.raises(UsageError, match="HTTP 404"):
        pull(f"{site.address}/nothing", home)
    with pytest.raises(BundleError, match="folder or a zip"):
        pull(f"{site.address}/page", home)
    with pytest.raises(UsageError, match=r"must be readable"):
        pull("https://127.0.0.1:1/one.zip", home)
    assert not home.exists()


@pytest.mark.parametrize("announced", [True, False])
def test_download_over_the_limit_is_refused(
    site: Site, archive: bytes, tmp_path: Path, announced: bool
) -> None:
    site.pages["/one.zip"] = page(archive) if announced else (200, {}, archive)
    with pytest.raises(UsageError, match="at most 1,000 bytes"):
        pull(f"{site.address}/one.zip", tmp_path / "models", max_bytes=1000)


def test_redirect_away_from_https_is_refused(site: Site, archive: bytes, tmp_path: Path) -> None:
    plain = Site(pages={"/one.zip": page(archive)})
    server = serve(plain, None)
    try:
        for target in (f"{plain.address}/one.zip", "file:///etc/hostname"):
            site.pages["/moved"] = (302, {"Location": target, "Content-Length": "0"}, b"")
            with pytest.raises(UsageError, match="must be"):
                pull(f"{site.address}/moved", tmp_path / "models")
        assert pull(f"{plain.address}/one.zip", tmp_path / "models", allow_http=True).status == "installed"
    finally:
        server.shutdown()
        server.server_close()


def test_terminal_shows_a_bar_while_it_downloads(
    site: Site, make_bundle: MakeBundle, zipped: Callable[[Path], Path], tmp_path: Path
) -> None:
    bundle = make_bundle("one")
    (bundle / "not_named.bin").write_bytes(os.urandom(6_000_000))
    site.pages["/one.zip"] = page(zipped(bundle).read_bytes())
    shown, terminal = pty.openpty()
    words = ("pull", f"{site.address}/one.zip", "--to", str(tmp_path / "models"))
    child = subprocess.Popen(
        [sys.executable, "-m", "snapship", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm"},
        cwd=ROOT,
    )
    os.close(terminal)
    text = b""
    try:
        while data := os.read(shown, 4096):
            text += data
    except OSError:
        pass
    os.close(shown)
    assert child.wait(60) == 0
    assert b"Downloading" in text
