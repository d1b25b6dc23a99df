"""Puts a module and all that it imports into one file.

A page's start waits for each file in turn through the service worker; fifty small ones take longer than the
engine. The modules stay as they are but for their comments, each inside a function, so nothing but their exports
meets. A third of the two files was comments, which the folder has in the modules themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from phone.app.modules import IMPORT, imported, in_order

# A block comment that has its lines to itself: not the type of an expression, which is on the line of that.
_COMMENT = re.compile(r"^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*\n", re.MULTILINE | re.DOTALL)

_EXPORT = re.compile(r"^export (?=(?:async )?(?:function\*?|class|const) (\w+))", re.MULTILINE)


def joined(path: str, modules: Mapping[str, str]) -> str:
    """Makes one module of many.

    Args:
        path: The module to start with; others see its exports alone.
        modules: Source by path.
    """
    wanted = {path}
    for one in reversed(in_order(modules)):
        if one in wanted:
            wanted.update(imported(one, modules[one]))
    parts = [_as_function(one, modules[one]) for one in in_order(modules) if one in wanted - {path}]
    return _COMMENT.sub("", "\n".join([*parts, _with_constants(path, modules[path])]))


def _as_function(path: str, text: str) -> str:
    """The module as a constant that holds its exports."""
    names = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub("", _with_constants(path, text)).rstrip()
    return f"const {_constant(path)} = (() => {{\n{body}\nreturn {{{names}}};\n}})();"


def _with_constants(path: str, text: str) -> str:
    """The module with its imports taken from the constants of others."""
    targets = iter(imported(path, text))

    def taken(statement: re.Match[str]) -> str:
        names = statement[1].removeprefix("import").removesuffix("from ").strip().replace(" as ", ": ")
        return f"const {names} = {_constant(next(targets))};" if names else f"{next(targets)};"

    return IMPORT.sub(taken, text)


def _constant(path: str) -> str:
    return re.sub(r"\W", "_", f"module_{path}")
