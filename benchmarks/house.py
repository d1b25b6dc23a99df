"""How the source is laid out: sizes of files and folders, and who imports whom.

::

    python -m benchmarks.house            # a table
    python -m benchmarks.house --json
    python -m benchmarks.house --root OTHER_CHECKOUT
    python -m benchmarks.house --docs     # writes the tables of docs/architecture.md

Counted by parsing; only the last two lines import anything, each in a fresh process. Imports
inside functions count, since a reader follows them too; those under TYPE_CHECKING do not.
"""

from __future__ import annotations

import argparse
import ast
import io
import json
import re
import statistics
import subprocess
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

HOUSES = ("edge_runtime", "trainer", "exporter", "serverless", "phone", "cluster", "snapship")

LAYERS = {
    "edge_runtime": (
        "common / image statistics workers / bundle / dataset engines / rules / . / output updates / score / cli"
    ),
    "trainer": "progress / core / augmentation data_checks models ranks / config run / fit / evaluation / analysis / .",
    "exporter": (
        "common formats statistics / source / evidence quantize reference / judge / "
        "rules unlabelled workers / bundle config report / sequential / convert / repair / cascade / ."
    ),
    "serverless": (
        ". / app/core / app/events app/http deploy/config / app deploy/template / deploy/stack serving / "
        "deploy/traffic / deploy/manage / deploy/package / deploy/cost / deploy"
    ),
    "phone": "disk / apk engine / app / gradle serving single_file / .",
    "cluster": ".",
    "snapship": ". / run",
}
"""The folders of each house, from the lowest layer up; a dot is the house's own folder.

A module imports from its own folder or from lower layers: ``tests/test_architecture.py`` holds it.
"""

ADDED = {
    "artifact kind of a new format": '"coreml"',
    "engine": "tflite-runtime",
    "event source": '"sqs"',
}
"""What somebody may add, and a string that stands in each source file that one of them needs."""

_SKIPPED = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def sources(root: Path) -> dict[str, Path]:
    """The source files by module name, such as ``exporter.statistics.gate``."""
    found = {}
    for house in HOUSES:
        for path in sorted((root / house).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def code_lines(text: str) -> int:
    """Lines that hold code: no blank lines, comments or docstrings."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _SKIPPED:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            lines -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def _is_text(node: ast.expr) -> bool:
    """Whether it is a string, which standing alone is a docstring, of a module's constant too."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def imports(modules: dict[str, Path]) -> dict[str, set[str]]:
    """Each module and the modules of ours that it imports."""
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        targets: set[str] = set()
        for node in _run(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                targets.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                members = {f"{node.module}.{alias.name}" for alias in node.names}
                inner = members & modules.keys()
                # A package that only hands on a module of its own, the compiled one too, is not what is read.
                compiled = all(alias.name == "_native" for alias in node.names)
                targets |= inner or (set() if compiled else {node.module})
        found[name] = {target for target in targets if target in modules and target != name}
    return found


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes within one, but for what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from _run(child)


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import each other, by way of others too (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(edges[node]):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for node in edges:
        if node not in index:
            visit(node)
    return groups


def mutual_folders(modules: dict[str, Path], edges: dict[str, set[str]], root: Path) -> list[str]:
    """Pairs of folders of one house whose files import each other's."""
    folder = {name: path.parent.relative_to(root).as_posix() for name, path in modules.items()}
    pairs = {(folder[name], folder[target]) for name, targets in edges.items() for target in targets}
    return sorted(f"{a} <-> {b}" for a, b in pairs if a < b and (b, a) in pairs)


def loaded(root: Path, code: str) -> int:
    """Modules of ours that a fresh interpreter has loaded after running some code."""
    script = f"{code}\nimport sys\nprint(sum(m.split('.')[0] in {HOUSES} for m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True, timeout=300
    )
    return int(done.stdout.split()[-1])


def document(root: Path) -> str:
    """``docs/architecture.md`` of a checkout, with the tables as the source is now."""
    text = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    for house in HOUSES:
        begin, end = f"<!-- {house}: written by make docs -->\n", "<!-- end -->"
        before, found, rest = text.partition(begin)
        if not found or end not in rest:
            raise SystemExit(f"docs/architecture.md must contain {begin.strip()} ... {end}")
        text = f"{before}{begin}{_tables(root, house)}{rest[rest.index(end) :]}"
    return text


def _tables(root: Path, house: str) -> str:
    """A house's folders with their layers, and the files beside its sub-packages, as Markdown."""
    layers = [layer.split() for layer in LAYERS[house].split(" / ")]
    rows = ["| layer | folder | what |", "|---|---|---|"]
    faces = ["| file | what |", "|---|---|"]
    for number, folders in enumerate(layers, start=1):
        for folder in folders:
            place = root / house / folder
            name = f"{place.relative_to(root).as_posix()}/"
            rows.append(f"| {number} | `{name}` | {_sentence(place / '__init__.py')} |")
            if folder == "." or f" {folder}/" in LAYERS[house]:
                files = sorted(file for file in place.glob("*.py") if not file.name.startswith("__"))
                faces += [f"| `{name}{file.name}` | {_sentence(file)} |" for file in files]
    return "\n".join(["", *rows, "", *faces, "", ""])


def _sentence(file: Path) -> str:
    """The first sentence of a module's docstring, as Markdown."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.partition("\n\n")[0].split())
    first = re.split(r"(?<=\.) (?=[A-Z`:])", paragraph)[0]
    return re.sub(r"(?::\w+:)?`{1,2}([^`]+)`{1,2}", r"`\1`", first).replace("|", "\\|")


def measure(root: Path) -> dict[str, object]:
    """All figures of one checkout."""
    modules = sources(root)
    texts = {name: path.read_text(encoding="utf-8") for name, path in modules.items()}
    lengths = {name: len(text.splitlines()) for name, text in texts.items()}
    folders = Counter(path.parent.relative_to(root).as_posix() for path in modules.values())
    edges = imports(modules)
    importers = Counter(target for targets in edges.values() for target in targets)
    longest = max(lengths, key=lambda name: lengths[name])
    return {
        "files": len(modules),
        "code lines": sum(map(code_lines, texts.values())),
        "median file, lines": int(statistics.median(lengths.values())),
        "longest file, lines": f"{lengths[longest]} ({longest})",
        "files of at most 60 lines": sum(length <= 60 for length in lengths.values()),
        "files with one importer": sum(count == 1 for count in importers.values()),
        "largest folders": ", ".join(f"{name} {count}" for name, count in folders.most_common(4)),
        "circles": _joined(", ".join(group) for group in circles(edges)),
        "folder pairs that import each other": _joined(mutual_folders(modules, edges, root)),
        **{
            f"files that name one {what}": sum(mark in text for text in texts.values())
            for what, mark in ADDED.items()
        },
        "our modules after import edge_runtime.classifier": loaded(root, "import edge_runtime.classifier"),
        "our modules after import exporter.cli": loaded(root, "import exporter.cli"),
    }


def _joined(found: Iterable[str]) -> str:
    items = list(found)
    return f"{len(items)}" + (f": {'; '.join(items)}" if items else "")


def main() -> None:
    """Prints the figures of a checkout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--docs", action="store_true", help="write the tables of docs/architecture.md")
    args = parser.parse_args()
    if args.docs:
        (args.root / "docs" / "architecture.md").write_text(document(args.root), encoding="utf-8")
        return
    figures = measure(args.root.resolve())
    if args.json:
        print(json.dumps(figures, indent=1))
        return
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:{width}}  {value}")


if __name__ == "__main__":
    main()
