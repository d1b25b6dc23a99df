"""Modules in one page: found, in order, and marked for the URL that they get."""

from __future__ import annotations

import pytest

from phone.app.modules import EMBEDDED, imported, in_order, inlined, is_module, marked
from phone.app.static_files import static_files

TEXT = """/** import {x} from './no.mjs'; in a comment */
import {a, b} from './a.mjs';
import {c} from "../classify/c.mjs";
import './d.mjs';
const text = "import {x} from './no.mjs';";
const later = await import(files.url('engine.js'));
"""


def test_relative_imports_are_found_and_marked() -> None:
    assert imported("ui/main.mjs", TEXT) == ["ui/a.mjs", "classify/c.mjs", "ui/d.mjs"]
    found = marked("ui/main.mjs", TEXT).splitlines()
    assert found[1] == f"import {{a, b}} from '{EMBEDDED}ui/a.mjs';"
    assert found[2] == f'import {{c}} from "{EMBEDDED}classify/c.mjs";'
    assert found[3] == f"import '{EMBEDDED}ui/d.mjs';"
    assert [found[0], *found[4:]] == [TEXT.splitlines()[0], *TEXT.splitlines()[4:]]


def test_each_comes_after_what_it_imports() -> None:
    order = in_order(
        {
            "a.mjs": "import {b} from './b.mjs';",
            "b.mjs": "import {c} from './x/c.mjs';",
            "x/c.mjs": "",
            "d.mjs": "",
        }
    )
    assert order.index("x/c.mjs") < order.index("b.mjs") < order.index("a.mjs")
    assert len(order) == 4


def test_circles_and_missing_modules_are_refused() -> None:
    circle = {"a.mjs": "import './b.mjs';", "b.mjs": "import './a.mjs';"}
    with pytest.raises(ValueError, match=r"import each other: .*a\.mjs"):
        in_order(circle)
    with pytest.raises(ValueError, match=r"the app lacks: b\.mjs"):
        in_order({"a.mjs": "import './b.mjs';"})


def test_the_app_s_own_modules_have_no_circle_and_no_other_import() -> None:
    modules = {path: data.decode() for path, data in static_files().items() if is_module(path)}
    assert len(in_order(modules)) == len(modules) > 10
    for path, text in modules.items():
        lines = [line for line in text.splitlines() if line.startswith("import ")]
        assert len(lines) == len(imported(path, text)), (
            f"{path}: an import in a form that one page cannot embed"
        )
        assert "import.meta" not in text, path
        # Also a module that nobody imports by name would not be embedded as one.
        assert "export" in text or path == "ui/main.mjs", path


def test_a_module_is_inlined_by_its_one_export() -> None:
    module = (
        "// m\nvar make = 1;\nfunction run() {}\nexport {\n  make\n};\n//# sourceMappingURL=index.js.map\n"
    )
    statement = 'import { make } from "./m.js";'
    text = f"var run = 2;\n{statement}\nmake();\n"
    assert inlined(text, statement, module) == (
        "var run = 2;\nconst make = (() => {\n// m\nvar make = 1;\nfunction run() {}\nreturn make;\n})();\nmake();\n"
    )
    for other in ("export default 1;", "export { a, b };", "no export"):
        with pytest.raises(ValueError, match="exports one name"):
            inlined(text, statement, other)
    with pytest.raises(ValueError, match="imported once"):
        inlined("", statement, module)
