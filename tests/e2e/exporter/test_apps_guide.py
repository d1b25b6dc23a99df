"""The Python and JavaScript of docs/apps.md is what the other tests here run."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
GUIDE = HERE.parents[2] / "docs" / "apps.md"


def test_snippets_of_the_guide_are_run_by_tests() -> None:
    blocks = re.findall(r"^```(?:js|python)\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    run = [path.read_text(encoding="utf-8") for path in (*HERE.glob("*_client.py"), *HERE.glob("web/*.mjs"))]
    assert len(blocks) == 6
    for block in blocks:
        assert any(block in text for text in run), block
