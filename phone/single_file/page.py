"""Puts all files of an app into its ``index.html``.

Every file is base64 in a ``<script>`` that no browser runs, so nothing in it, such as a label, can end
that element. ``single_file.js`` turns them into ``blob:`` URLs and starts the app.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Mapping
from pathlib import PurePosixPath

import msgspec

from edge_runtime.bundle.strict_json import encode_json
from phone.app.app_json import APP_FILE, SERVICE_WORKER, App, FileEntry, file_entries
from phone.app.modules import in_order, inlined, is_module, marked
from phone.app.static_files import BOOTSTRAP, WORKER_BOOTSTRAP, web
from phone.app.web_manifest import WEB_MANIFEST
from phone.engine.pinned import RELATIVE_IMPORT

PAGE, STYLE, START, WORKER = "index.html", "app.css", "ui/main.mjs", "classify/worker.js"
EARLY_START = "classify/start.js"

_CORE, _WASM_UTILS = "engine/litert/core.js", "engine/litert/wasm_utils.js"

_LEFT_OUT = {PAGE, STYLE, SERVICE_WORKER, WEB_MANIFEST, EARLY_START}
"""In the page already, or of no use from a disk."""

_SCRIPT_TYPES = {".js", ".mjs"}


def single_file_page(files: Mapping[str, bytes]) -> bytes:
    """Makes the page.

    Args:
        files: Every file of the app by its path.

    Returns:
        UTF-8 HTML.
    """
    inside = _embedded_files(files)
    style, script = files[STYLE].decode(), _script(BOOTSTRAP)
    page = files[PAGE].decode()
    page = _replaced(
        page, r'(<meta http-equiv="Content-Security-Policy" content=")[^"]*', _policy(style, script)
    )
    page = _replaced(page, r'()<link rel="manifest"[^>]*>\n', "")
    page = _replaced(page, r'()<link rel="apple-touch-icon"[^>]*>\n', "")
    page = _replaced(page, rf'()<link rel="stylesheet" href="{STYLE}">', f"<style>{style}</style>")
    page = _replaced(page, rf'()<script src="{EARLY_START}"></script>\n', "")
    page = _replaced(page, rf'()<script type="module" src="{START}"></script>\n', "")
    page = re.sub(
        r'(<link rel="icon"[^>]*href=")([^"]+)', lambda found: found[1] + _data_url(files, found[2]), page
    )
    body, end, rest = page.rpartition("</body>")
    scripts = "".join(_element(path, data) for path, data in inside.items())
    return f"{body}{scripts}<script>{script}</script>\n{end}{rest}".encode()


def _embedded_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """What the page contains, modules last and in the order of their imports."""
    modules = {path: data.decode() for path, data in files.items() if is_module(path)}
    kept = {path: data for path, data in files.items() if path not in _LEFT_OUT and path not in modules}
    # Its hash is in app.json, so it must not import a URL that is made when the page opens.
    statement = f"import {{ createWasmLib }} {RELATIVE_IMPORT.decode()};"
    kept[_CORE] = inlined(kept[_CORE].decode(), statement, kept[_WASM_UTILS].decode()).encode()
    kept[WORKER] = _script(WORKER_BOOTSTRAP).encode() + kept[WORKER]
    kept[APP_FILE] = _own_app_json(files, {path: kept[path] for path in (_CORE, WORKER)})
    return kept | {path: marked(path, modules[path]).encode() for path in in_order(modules)}


def _own_app_json(files: Mapping[str, bytes], changed: Mapping[str, bytes]) -> bytes:
    app = msgspec.json.decode(files[APP_FILE], type=App)
    entries: dict[str, FileEntry] = app.files | file_entries(changed)
    # The version stays: it is the same app in another form, and its reports are comparable.
    return encode_json(msgspec.structs.replace(app, files=entries))


def _script(name: str) -> str:
    return (web() / name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    return (
        "default-src 'none'; "
        f"script-src '{_hash(script)}' blob: 'wasm-unsafe-eval'; style-src '{_hash(style)}'; "
        "img-src blob: data:; media-src blob:; connect-src blob:; worker-src blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _data_url(files: Mapping[str, bytes], path: str) -> str:
    return f"data:image/png;base64,{base64.b64encode(files[path]).decode()}" if path in files else "data:,"


def _element(path: str, data: bytes) -> str:
    kind = ' data-type="text/javascript"' if PurePosixPath(path).suffix in _SCRIPT_TYPES else ""
    text = base64.b64encode(data).decode()
    return f'<script type="text/plain" data-path="{html.escape(path)}"{kind}>{text}</script>\n'


def _replaced(page: str, pattern: str, text: str) -> str:
    """Replaces what follows the first group, which is there once."""
    found, count = re.subn(pattern, lambda match: match[1] + text, page)
    if count != 1:
        raise ValueError(f"{PAGE} must have {pattern} once, not {count} times")
    return found
