"""Requests that try to break in or to break the server: each is answered, and none with a 5xx."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
from pathlib import Path

import httpx
import pytest

HOSTILE = (
    "<script>alert(1)</script>",
    '"};alert(1);//',
    "\x1b[2Jcleared",
    "\x00\x07\u202etxt.exe",
    "💥\u200b",
    "a,b;c=d",
)


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, timeout=30) as made:
        yield made


def head_of(answer: bytes) -> list[bytes]:
    return answer.partition(b"\r\n\r\n")[0].split(b"\r\n")


@pytest.mark.parametrize(
    "path",
    [
        b"/../../../../etc/passwd",
        b"/labels/../../../../etc/passwd",
        b"/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        b"/..%2f..%2f..%2fetc%2fpasswd",
        b"/..%5c..%5cwindows%5cwin.ini",
        b"//etc/passwd",
        b"/labels%00.png",
        b"/%c0%ae%c0%ae/etc/passwd",
        b"/\\..\\..\\etc\\passwd",
        b"http://127.0.0.1:1/labels/x",
    ],
)
def test_paths_out_of_the_app_are_not_found(server, path: bytes) -> None:
    answer = server.say(b"GET " + path + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert answer.split()[1] in (b"400", b"404")
    assert b"root:" not in answer
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"x-request-id: a%0d%0aset-cookie: b=c",
        b"x-request-id: a\rset-cookie: b=c",
        b"x-request-id: a\nset-cookie: b=c",
        b"x-request-id: a\r\n set-cookie: b=c",
        b"x-request-id: " + b"a" * 5000,
        b"x-request-id: <script>alert(1)</script>",
        b"x-request-id: \xff\xfe",
        b"x-request-id: one\r\nx-request-id: two",
    ],
)
def test_a_request_id_cannot_add_a_header(server, sent: bytes) -> None:
    answer = server.say(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + sent + b"\r\n\r\n")
    head = head_of(answer)
    assert head[0].split()[1] in (b"200", b"400")
    assert not [line for line in head if line.lower().startswith(b"set-cookie")]
    for line in head:
        if line.startswith(b"x-request-id: "):
            assert line.removeprefix(b"x-request-id: ").isalnum()
            assert len(line) < 60


def test_log_lines_cannot_be_forged(server) -> None:
    begin = server.logged()
    forged = b'%0a{"level":"INFO","status":200,"forged":true}%0d%0a'
    server.say(b"GET /" + forged + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert server.well()
    server.logged(begin + 2)
    lines = [json.loads(line) for line in server.lines[begin:]]
    assert not [line for line in lines if "forged" in line]
    assert len(lines) == 2


def test_hostile_labels_stay_text(start, own_digits_bundle: Path, digit: bytes) -> None:
    manifest = json.loads((own_digits_bundle / "manifest.json").read_text())
    manifest["labels"][: len(HOSTILE)] = HOSTILE
    (own_digits_bundle / "manifest.json").write_text(json.dumps(manifest))
    (own_digits_bundle / "labels.txt").write_text("\n".join(manifest["labels"]) + "\n", encoding="utf-8")
    shutil.rmtree(own_digits_bundle / ".cache", ignore_errors=True)
    server = start(bundle=own_digits_bundle)
    with httpx.Client(base_url=server.url) as client:
        answer = client.post("/classify?top_k=10", content=digit)
        assert answer.status_code == 200
        assert set(HOSTILE) < {entry["label"] for entry in answer.json()["predictions"]}
        assert client.get("/labels").json()["labels"] == manifest["labels"]
        for path in ("/classify", "/labels", "/info", "/openapi.json", "/"):
            found = client.post(path, content=digit) if path == "/classify" else client.get(path)
            assert found.status_code == 200
            # JSON is never taken for a page, and the page has no label in it.
            assert ("json" in found.headers["content-type"]) == (path != "/")
            assert path != "/" or not [label for label in HOSTILE[:2] if label in found.text]
    # What a label does to the terminal of who reads the log: nothing.
    assert all(line.isascii() and line.isprintable() for line in server.lines[2:])


@pytest.mark.parametrize(
    ("top_k", "status"),
    [
        ("1000000", 200),
        ("999999999", 200),
        ("9" * 400, 422),
        ("0", 422),
        ("-1", 422),
        ("1e9", 422),
        ("٣", 422),
    ],
)
def test_a_huge_top_k_is_no_work(client: httpx.Client, digit: bytes, top_k: str, status: int) -> None:
    answer = client.post("/classify", params={"top_k": top_k}, content=digit)
    assert answer.status_code == status
    assert status != 200 or len(answer.json()["predictions"]) == 10


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"image":' * 200_000,
        b'{"image":"' + b"A" * 1_000_000,
        b'{"images":[' + b'"",' * 300_000 + b'""]}',
        b'{"top_k":' + b"9" * 100_000 + b',"image":""}',
        b'{"top_k":1e999,"image":""}',
        b'{"image":"\\ud800"}',
        b'{"image":"' + b"\xff" * 100 + b'"}',
        b'{"a":1,' * 1000,
        b"\x00",
        b"",
        b"null",
    ],
    ids=["deep-list", "deep-object", "endless", "many", "digits", "infinity", "surrogate", "utf8", "keys", "nul",
         "empty", "null"],
)  # fmt: skip
def test_json_bombs_are_bad_requests(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/classify", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 2000


@pytest.mark.parametrize(
    "text",
    ["!" * 1000, "A", "====", "data:image/png;base64," * 1000, "data:text/html,<b>", "http://127.0.0.1/x.png",
     "file:///etc/passwd", "s3://bucket/key.png", "../../etc/passwd", base64.b64encode(b"no picture").decode()],
)  # fmt: skip
def test_base64_garbage_and_addresses_are_refused(client: httpx.Client, text: str) -> None:
    answer = client.post("/classify", json={"image": text})
    assert answer.status_code in (400, 415, 422)
    assert "root:" not in answer.text


def form(parts: list[bytes]) -> dict:
    body = b"".join(b"--x\r\n" + part + b"\r\n" for part in parts) + b"--x--\r\n"
    return {"content": body, "headers": {"content-type": "multipart/form-data; boundary=x"}}


@pytest.mark.parametrize(
    "parts",
    [
        [b'Content-Disposition: form-data; name="f%d"\r\n\r\nv' % n for n in range(10_000)],
        [b'Content-Disposition: form-data; name="i"; filename="a.png"\r\n\r\nv' for _ in range(10_000)],
        [b'Content-Disposition: form-data; name="' + b"n" * 100_000 + b'"\r\n\r\nv'],
        [b"X-Header: " + b"h" * 100_000 + b"\r\n\r\nv"],
        [b'Content-Disposition: form-data; name="i"; filename="../../../tmp/evil"\r\n\r\nno picture'],
        [b"\r\n\r\n"],
    ],
    ids=["fields", "files", "name", "header", "filename", "bare"],
)
def test_forms_of_too_much_are_bad_requests(client: httpx.Client, parts: list[bytes]) -> None:
    answer = client.post("/classify", **form(parts))
    assert answer.status_code in (400, 413, 415, 422)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=" + "b" * 5000, "; boundary=\x80"])
def test_a_form_without_a_good_boundary_is_a_bad_request(client: httpx.Client, boundary: str) -> None:
    kind = f"multipart/form-data{boundary}".encode("latin-1")
    answer = client.post("/classify", content=b"--x\r\n", headers={"content-type": kind})
    assert answer.status_code in (400, 415, 422)


@pytest.mark.parametrize("kind", ["image/png", "application/json", "multipart/form-data; boundary=x"])
def test_a_compressed_body_is_never_unpacked(server, client: httpx.Client, kind: str) -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    before = server.memory
    answer = client.post(
        "/classify", content=bomb, headers={"content-type": kind, "content-encoding": "gzip"}
    )
    assert answer.status_code in (400, 415, 422)
    assert server.memory - before < 50_000_000


@pytest.mark.parametrize(
    "query",
    [b"top_k=%ff%fe", b"top_k=%", b"\xff\xfe=1", b"top_k=1&top_k=2", b"a" * 8000, b"&" * 2000, b"%00"],
)
def test_a_query_of_bad_text_is_answered(server, query: bytes) -> None:
    answer = server.say(
        b"POST /classify?" + query + b" HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    )
    assert answer.split()[1] in (b"400", b"415", b"422")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE", "PATCH", "CONNECT", "BREW"])
@pytest.mark.parametrize("path", ["/classify", "/health", "/"])
def test_other_methods_are_refused_or_harmless(server, method: str, path: str) -> None:
    answer = server.say(
        f"{method} {path} HTTP/1.1\r\nhost: x\r\nx-secret: hush\r\nconnection: close\r\n\r\n".encode()
    )
    assert answer.split()[1] in (b"200", b"204", b"405")
    # TRACE would send a page's cookies and keys back to it.
    assert b"hush" not in answer
    if method == "HEAD":
        assert not answer.partition(b"\r\n\r\n")[2]
    elif method != "OPTIONS":
        assert answer.split()[1] == b"405"


@pytest.mark.parametrize(
    "raw",
    [
        b"POST /classify HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /labels HTTP/1.1\r\nhost: x\r\n\r\n",
        b"POST /classify HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"POST /classify HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\nhello",
        b"POST /classify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        b"POST /classify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"POST /classify HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + b"f" * 30 + b"\r\n",
        b"GET /health HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/9.9\r\nhost: x\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["length-and-chunked", "two-lengths", "negative", "identity", "chunk-size", "chunk-overflow", "space",
         "no-host", "version", "http09", "tls", "http2"],
)  # fmt: skip
def test_requests_that_proxies_read_otherwise_are_not_carried_out(server, raw: bytes) -> None:
    answer = server.say(raw)
    statuses = [part.split()[0] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert not [status for status in statuses if not status.startswith(b"4")]
    assert len(statuses) <= 1
    assert server.well()


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://example.org/health", b"200"),
        (b"HTTPS://example.org:8443/health?x=http://y/", b"200"),
        (b"http://example.org", b"200"),
        (b"http://example.org/nowhere", b"404"),
        (b"/http://example.org/health", b"404"),
        (b"ftp://example.org/health", b"404"),
    ],
)
def test_an_absolute_target_is_its_path(server, target: bytes, status: bytes) -> None:
    """As clients send it that take the server for a proxy; RFC 9112 asks servers to take it."""
    answer = server.say(b"GET " + target + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    assert answer.split()[1] == status


def test_an_upgrade_stays_http(server) -> None:
    answer = server.say(
        b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n"
        b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 200 ")
    # No line for each of these that anybody can send.
    assert not server.err.read_text()
