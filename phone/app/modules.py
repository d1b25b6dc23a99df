"""The app's JavaScript modules: what each imports, and their order."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

EMBEDDED = "snapship-embedded:"
"""Stands before a path inside the app, where a module imports it; the page puts the URL there."""

# A whole statement, "import {a, b} from './x.mjs';" or "import './x.mjs';", at the start of a line.
IMPORT = re.compile(r"""^(import\b[^'";]*)(['"])(\.{1,2}/[^'"]+)\2;""", re.MULTILINE)

_BUNDLED = re.compile(r"^export \{\s*(\w+)\s*\};?\s*(?://# sourceMappingURL=.*)?\s*\Z", re.MULTILINE)


def is_module(path: str) -> bool:
    """Whether a file of the app may import others."""
    return path.endswith(".mjs")


def imported(path: str, text: str) -> list[str]:
    """The paths that a module imports, inside the app.

    Args:
        path: Of the module.
        text: Its source.
    """
    return [_resolved(path, found[3]) for found in IMPORT.finditer(text)]


def marked(path: str, text: str) -> str:
    """The module with :data:`EMBEDDED` paths in place of the relative ones.

    Args:
        path: Of the module.
        text: Its source.
    """
    return IMPORT.sub(
        lambda found: f"{found[1]}{found[2]}{EMBEDDED}{_resolved(path, found[3])}{found[2]};", text
    )


def in_order(modules: Mapping[str, str]) -> list[str]:
    """Paths of the modules, each after those that it imports.

    Args:
        modules: Source by path.

    Raises:
        ValueError: Two modules import each other, or one imports a file that is no module.
    """
    graph = {path: imported(path, text) for path, text in sorted(modules.items())}
    missing = sorted({target for targets in graph.values() for target in targets} - modules.keys())
    if missing:
        raise ValueError(f"modules import files that the app lacks: {', '.join(missing)}")
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise ValueError(f"modules import each other: {' -> '.join(error.args[1])}") from error


def inlined(text: str, statement: str, module: str) -> str:
    """A module with another one inside, so that its hash is known before it has a URL.

    Args:
        text: The module that imports.
        statement: Its import statement, once in the text.
        module: The imported module, which ends with ``export { NAME };``.

    Raises:
        ValueError: One of them has another form.
    """
    export = _BUNDLED.search(module)
    if export is None or text.count(statement) != 1:
        raise ValueError("a module to inline is imported once and exports one name at its end")
    body = module[: export.start()].rstrip()
    return text.replace(statement, f"const {export[1]} = (() => {{\n{body}\nreturn {export[1]};\n}})();")


def _resolved(path: str, specifier: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), specifier))
