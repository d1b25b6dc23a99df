"""The installed app's name."""

from __future__ import annotations

import json

import pytest

from phone.app.static_files import BOOTSTRAP, WORKER_BOOTSTRAP, static_files
from phone.app.web_manifest import web_manifest


@pytest.mark.parametrize(
    ("name", "short"),
    [("digits", "digits"), ("twelve chars", "twelve chars"), 
     ("Blumen im Garten", "Blumen im G…"), ("花" * 20, "花" * 11 + "…")],
)  # fmt: skip
def test_name_is_put_into_the_template(name: str, short: str) -> None:
    found = json.loads(web_manifest(name, b'{"name": "x", "short_name": "x", "display": "standalone"}'))
    assert found == {"name": name, "short_name": short, "display": "standalone"}


def test_static_files_have_the_page_and_not_the_bootstrap_of_the_single_file() -> None:
    files = static_files()
    assert {"index.html", "app.css", "sw.js", "manifest.webmanifest", "core.wasm", "ui/main.mjs"} <= set(
        files
    )
    assert not {BOOTSTRAP, WORKER_BOOTSTRAP} & set(files)
    assert not [path for path in files if "\\" in path or path.startswith((".", "/"))]
