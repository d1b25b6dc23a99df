"""Modules in one file: what they export stays, what they keep to themselves does not meet."""

from __future__ import annotations

import subprocess
from pathlib import Path

from phone.app.joined_modules import joined
from phone.app.modules import imported
from phone.app.static_files import STARTS, static_files, with_joined_modules

MODULES = {
    "ui/main.mjs": (
        "import {\n  one,\n} from '../x/one.mjs';\nimport {two as second, Two} from './two.mjs';\n"
        "const own = 10;\nconsole.log(one() + second + own + new Two().value);\n"
    ),
    "ui/two.mjs": (
        "import {one} from '../x/one.mjs';\nconst own = 5;\nexport const two = one() + own;\n"
        "export class Two { value = own; }\n"
    ),
    "x/one.mjs": "const own = 1;\n/** Text. */\nexport function one() {\n  return own;\n}\n",
    "x/other.mjs": "throw new Error('not imported');\n",
}


def test_joined_modules_run_as_the_modules_did(tmp_path: Path) -> None:
    for name, modules in {
        "whole": MODULES,
        "joined": {"ui/main.mjs": joined("ui/main.mjs", MODULES)},
    }.items():
        for path, text in modules.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        command = ["node", str(tmp_path / name / "ui/main.mjs")]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "22\n"


def test_the_app_starts_with_one_file_for_the_page_and_one_for_its_worker() -> None:
    files = with_joined_modules(static_files())
    for path in STARTS:
        assert imported(path, files[path].decode()) == []


def test_comments_stay_in_the_modules_but_for_types_of_expressions() -> None:
    first, last = "const a = /** @type {any} */ (1);\n  /** @type {any} */ (a);\n", "export class A {}\n"
    text = f"/**\n * Text.\n */\n{first}/** Text. */\n{last}"
    assert joined("ui/main.mjs", {"ui/main.mjs": text}) == first + last
