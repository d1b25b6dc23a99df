"""android.js in Chromium: sharing and downloads reach the app's port, whichever comes first."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

PAGE = """<!doctype html><html><head><script src="android.js"></script></head><body><pre></pre><script type="module">
const received = [];
const finished = new Promise((resolve) => {
  const {port1, port2} = new MessageChannel();
  port1.onmessage = ({data}) => {
    received.push(JSON.parse(data));
    if (received.length === 5) resolve();
  };
  // The app connects when the page has loaded; what is shared before waits.
  setTimeout(() => {
    postMessage('something else', '*', [new MessageChannel().port1]);
    postMessage('snapship-android', '*', [port2]);
  }, 200);
});
const file = new File(['{"ä":1}'], 'report.json', {type: 'application/json'});
const allowed = [navigator.canShare({files: [file]}), navigator.canShare({files: [file, file]}), navigator.canShare()];
navigator.share({files: [file], text: 'a report'});
await new Promise((resolve) => setTimeout(resolve, 50));
await navigator.share({title: 'x', text: 'rose', url: 'https://a.b/'});
const link = document.createElement('a');
link.href = URL.createObjectURL(new Blob(['a;b'], {type: 'text/csv'}));
link.download = 'history.csv';
link.click();
URL.revokeObjectURL(link.href);
await new Promise((resolve) => setTimeout(resolve, 50));
const shown = document.createElement('a');
shown.href = 'data:text/plain,hello';
shown.download = 'hello.txt';
shown.append(document.createElement('b'));
document.body.append(shown);
shown.firstChild.click();
await new Promise((resolve) => setTimeout(resolve, 50));
shown.click();
let followed = 0;
const plain = document.createElement('a');
plain.onclick = (event) => { event.preventDefault(); followed++; };
plain.href = '#x';
plain.click();
await finished;
document.querySelector('pre').textContent = JSON.stringify({allowed, received, followed});
</script></body></html>"""


def test_shares_and_downloads_reach_the_port(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "android.js").write_bytes(files("phone.apk").joinpath("android.js").read_bytes())
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
        "--virtual-time-budget=20000", "--dump-dom", (tmp_path / "index.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r"<pre>(.+)</pre>", done.stdout)
    assert found, done.stdout[:300] + done.stderr[-500:]
    result = json.loads(html.unescape(found[1]))
    assert result["allowed"] == [True, False, True]
    assert result["received"] == [
        {"text": "a report", "name": "report.json", "type": "application/json", "base64": "eyLDpCI6MX0="},
        {"text": "rose\nhttps://a.b/"},
        {"name": "history.csv", "type": "text/csv", "base64": "YTti"},
        {"name": "hello.txt", "type": "text/plain", "base64": "aGVsbG8="},
        {"name": "hello.txt", "type": "text/plain", "base64": "aGVsbG8="},
    ]
    assert result["followed"] == 1
