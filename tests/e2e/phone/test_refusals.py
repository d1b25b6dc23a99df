"""A damaged app is refused with a reason, in a secure context and in none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.browsers.app_page import SETTLED
from benchmarks.browsers.protocol import Browser, Name
from benchmarks.browsers.puppeteer import INSECURE
from benchmarks.browsers.site import Site

pytestmark = pytest.mark.slow

CHANGE_SAVED_ENGINE = """async (hash) => {
  const [name] = (await caches.keys()).filter((one) => one.includes(' version '));
  const cache = await caches.open(name);
  const url = new URL('engine/litert/litert_wasm_compat_internal.wasm', document.baseURI).href;
  const saved = await cache.match(url);
  const [headers, bytes] = [new Headers(saved.headers), new Uint8Array(await saved.arrayBuffer())];
  bytes[bytes.length >> 1] ^= 1;
  headers.delete('snapship-sha256');
  if (hash) headers.set('snapship-sha256', hash);
  await cache.put(url, new Response(bytes, {headers}));
  return saved.headers.get('snapship-sha256');
}"""


@pytest.fixture
def own_app(app: Path, tmp_path: Path) -> Path:
    """A copy of it to break."""
    shutil.copytree(app, tmp_path / "app")
    return tmp_path / "app"


def with_one_byte_changed(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize("changed", ["bundle/*.tflite", "engine/litert/*.wasm"])
def test_one_changed_byte_is_refused(
    browsers: Callable[[Name], Browser], own_app: Path, host: Callable[..., Site], changed: str, secure: bool
) -> None:
    (file,) = own_app.glob(changed)
    with_one_byte_changed(file)
    site = host(own_app)
    with browsers("chromium").page() as tab:
        tab.open(site.url if secure else site.url_at(INSECURE))
        tab.until(SETTLED)
        assert tab.value("document.documentElement.dataset.state") == "failed"
        assert tab.value("document.querySelector('#failure').dataset.code") == "changed_file"
        assert file.name in tab.text("#failure")
        assert tab.value("document.documentElement.dataset.offline") != "ready"


@pytest.mark.parametrize("name", ["firefox", "webkit"])
def test_one_changed_byte_of_the_model_is_refused_by_other_engines(
    browsers: Callable[[Name], Browser], own_app: Path, host: Callable[..., Site], name: Name
) -> None:
    (file,) = own_app.glob("bundle/*.tflite")
    with_one_byte_changed(file)
    with browsers(name).page() as tab:
        tab.open(host(own_app).url)
        tab.until(SETTLED)
        assert tab.value("document.querySelector('#failure').dataset.code") == "changed_file"


@pytest.mark.parametrize("said", ["", "0" * 64])
def test_a_saved_engine_counts_as_verified_only_with_its_hash(
    browsers: Callable[[Name], Browser], app: Path, host: Callable[..., Site], said: str
) -> None:
    with browsers("chromium").page() as tab:
        tab.open(host(app).url)
        tab.until("document.documentElement.dataset.offline === 'ready'")
        verified = json.loads((app / "app.json").read_bytes())["files"]
        engine = verified["engine/litert/litert_wasm_compat_internal.wasm"]
        assert tab.call(CHANGE_SAVED_ENGINE, said) == engine["sha256"]
        tab.reload()
        tab.until(SETTLED)
        assert tab.value("document.querySelector('#failure').dataset.code") == "changed_file"


def test_a_missing_file_is_named(
    browsers: Callable[[Name], Browser], own_app: Path, host: Callable[..., Site]
) -> None:
    (own_app / "core.wasm").unlink()
    with browsers("chromium").page() as tab:
        tab.open(host(own_app).url_at(INSECURE))
        tab.until(SETTLED)
        assert tab.value("document.querySelector('#failure').dataset.code") == "missing_file"
        assert "core.wasm" in tab.text("#failure")
