"""Who may import whom: the arrows of the design, in the source and in fresh processes.

::

    trainer ─────┐                      (trainer also calls cluster, for addresses and ranks on Ray)
    exporter ────┼──> edge_runtime      (exporter also reads trainer.run.run_json, and joins a cluster at use)
    serverless ──┤
    phone ───────┘
    snapship ──> each of them, imported only by the command that needs it
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks import house

ROOT = Path(__file__).resolve().parent.parent
ALLOWED: dict[str, tuple[str, ...]] = {
    "edge_runtime": (),
    "trainer": ("edge_runtime", "cluster"),
    "exporter": ("edge_runtime", "trainer.run.run_json", "cluster"),
    "serverless": ("edge_runtime",),
    "phone": ("edge_runtime",),
    "cluster": ("edge_runtime",),
    "snapship": ("edge_runtime", "trainer", "exporter", "serverless", "phone", "cluster"),
}
HEAVY = {"tensorflow", "keras", "boto3", "botocore"}


@dataclass(frozen=True)
class Import:
    """One imported name, where it stands, and whether it runs when the file is imported."""

    file: str
    line: int
    name: str
    at_import: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.name}"


def imports_of(name: str) -> list[Import]:
    found = []
    for path in sorted((ROOT / name).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        file = path.relative_to(ROOT).as_posix()
        found += [Import(file, line, name, now) for line, name, now in _walk(tree, True)]
    assert found, f"no source found for {name}"
    return found


def _walk(node: ast.AST, at_import: bool) -> Iterator[tuple[int, str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield child.lineno, alias.name, at_import
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"relative import in line {child.lineno}"
            for alias in child.names:
                yield child.lineno, f"{child.module}.{alias.name}", at_import
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _walk(child, False)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from _walk(ast.Module(child.body, []), False)
            yield from _walk(ast.Module(child.orelse, []), at_import)
        else:
            yield from _walk(child, at_import)


def within(name: str, packages: tuple[str, ...] | set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("name", house.HOUSES)
def test_arrows(name: str) -> None:
    siblings = tuple(other for other in house.HOUSES if other != name)
    wrong = [
        str(entry)
        for entry in imports_of(name)
        if within(entry.name, siblings) and not within(entry.name, ALLOWED[name])
    ]
    assert not wrong, "\n".join(wrong)


MODULES = house.sources(ROOT)
EDGES = house.imports(MODULES)


@pytest.mark.parametrize("name", house.LAYERS)
def test_folders_of_a_house_are_layers(name: str) -> None:
    layers = [layer.split() for layer in house.LAYERS[name].split(" / ")]
    level = {folder: at for at, layer in enumerate(layers) for folder in layer}
    place = {
        module: path.parent.relative_to(ROOT / name).as_posix()
        for module, path in MODULES.items()
        if within(module, (name,))
    }
    assert set(place.values()) == set(level)
    wrong = [
        f"{module} imports {target}"
        for module in place
        for target in EDGES[module] & place.keys()
        if place[target] != place[module] and level[place[target]] >= level[place[module]]
    ]
    assert not wrong, "\n".join(wrong)


def test_architecture_page_shows_the_folders_and_their_docstrings() -> None:
    shown = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert shown == house.document(ROOT), "Run: make docs"


def test_no_modules_import_each_other() -> None:
    assert not house.circles(EDGES)
    assert not house.mutual_folders(MODULES, EDGES, ROOT)


def test_folders_and_files_stay_small() -> None:
    folders = Counter(path.parent for path in MODULES.values())
    assert max(folders.values()) <= 16, folders.most_common(1)
    lengths = Counter({name: len(path.read_text("utf-8").splitlines()) for name, path in MODULES.items()})
    assert max(lengths.values()) <= 350, lengths.most_common(3)


def test_snapship_imports_houses_only_when_a_command_runs() -> None:
    wrong = [
        str(entry)
        for entry in imports_of("snapship")
        if entry.at_import
        and within(entry.name, set(house.HOUSES) - {"snapship"})
        # What a command's own module imports is that command's.
        and not entry.file.startswith(("snapship/demo.py", "snapship/run/"))
    ]
    assert not wrong, "\n".join(wrong)


def test_exporter_joins_a_cluster_only_at_use() -> None:
    entries = [entry for entry in imports_of("exporter") if within(entry.name, {"cluster"})]
    assert entries
    assert not [str(entry) for entry in entries if entry.at_import]


def test_device_and_cloud_code_never_imports_training_or_aws() -> None:
    entries = imports_of("edge_runtime")
    entries += [entry for entry in imports_of("serverless") if entry.file.startswith("serverless/app/")]
    # A device that is updated from a bucket needs AWS's library, at use and in that one file.
    fetching = "edge_runtime/updates/sources.py"
    wrong = [
        str(entry)
        for entry in entries
        if within(entry.name, HEAVY) and (entry.at_import or entry.file != fetching)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", house.HOUSES)
def test_boto3_lives_in_one_file_of_a_house(name: str) -> None:
    files = {entry.file for entry in imports_of(name) if within(entry.name, {"boto3", "botocore"})}
    assert len(files) <= 1, sorted(files)


TELEMETRY_OFF = {"disable_telemetry", "load_onnxruntime", "os.environ.setdefault"}


def telemetry_left_on(tree: ast.AST) -> Iterator[int]:
    """Lines that import ONNX Runtime while nothing before them in their function turns its telemetry off."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {str(node.module)}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names = {str(word.value) for word in node.args if isinstance(word, ast.Constant)}
        else:
            continue
        if not any(within(name, {"onnxruntime"}) for name in names):
            continue
        inside = [one for one in functions if one.lineno <= node.lineno <= (one.end_lineno or 0)]
        calls = [
            call
            for call in ast.walk(inside[-1] if inside else tree)
            if isinstance(call, ast.Call) and call.lineno < node.lineno
        ]
        if not any(ast.unparse(call.func) in TELEMETRY_OFF for call in calls):
            yield node.lineno


def test_onnxruntime_is_imported_only_after_its_telemetry_is_off() -> None:
    wrong, seen = [], 0
    for folder in (*house.HOUSES, "benchmarks", "fuzz"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            seen += "import onnxruntime" in text or "from onnxruntime" in text
            wrong += [
                f"{path.relative_to(ROOT)}:{line} imports onnxruntime before disable_telemetry() is called"
                for line in telemetry_left_on(ast.parse(text, str(path)))
            ]
    assert seen >= 3
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "code",
    [
        "import onnxruntime",
        "def f():\n    disable_telemetry()\ndef g():\n    from onnxruntime.quantization import QuantType",
        "def f():\n    import onnxruntime as ort\n    disable_telemetry()",
        "import importlib\nimportlib.import_module('onnxruntime.capi')",
    ],
)
def test_an_import_before_its_telemetry_is_off_is_found(code: str) -> None:
    assert list(telemetry_left_on(ast.parse(code)))


def modules_after(code: str) -> set[str]:
    """Top-level modules and houses' modules that a fresh process has loaded after the code."""
    program = f"{code}\nimport json, sys\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return {str(name) for name in json.loads(done.stdout.splitlines()[-1])}


def command(*words: str) -> str:
    return f"""
from snapship.cli import cli
try:
    cli({list(words)!r})
except SystemExit as left:
    assert not left.code, left.code
"""


INTERPRETERS = {"onnxruntime", "ai_edge_litert"}
CLOUD = {"starlette", "mangum", "uvicorn", "boto3", "botocore"}
TRAINING = {"tensorflow", "keras", "sklearn", "matplotlib", "tf2onnx", "onnx", "jax", "torch"}
OTHER_HOUSES = {*house.HOUSES} - {"edge_runtime", "snapship"}


def test_importing_the_runtime_loads_no_interpreter_and_no_terminal() -> None:
    banned = INTERPRETERS | CLOUD | TRAINING | OTHER_HOUSES | {"click", "rich", "snapship"}
    assert not modules_after("import edge_runtime") & banned


def test_help_loads_no_house() -> None:
    banned = (
        INTERPRETERS
        | CLOUD
        | TRAINING
        | OTHER_HOUSES
        | {"edge_runtime", "numpy", "PIL", "rich", "importlib.metadata"}
    )
    assert not modules_after(command("--help")) & banned


def test_predict_loads_only_the_runtime_and_one_interpreter(digits_bundle: Path) -> None:
    image = str(digits_bundle / "golden" / "0.png")
    words = ("predict", str(digits_bundle), image, "--artifact", "tflite-fp32", "--json")
    loaded = modules_after(command(*words))
    assert "ai_edge_litert" in loaded
    assert not loaded & (CLOUD | TRAINING | OTHER_HOUSES | {"onnxruntime"})


@pytest.mark.parametrize("words", [("info",), ("selftest", "--artifact", "tflite-int8")])
def test_other_device_commands_load_only_the_runtime(digits_bundle: Path, words: tuple[str, ...]) -> None:
    loaded = modules_after(command(words[0], str(digits_bundle), *words[1:]))
    assert not loaded & (CLOUD | TRAINING | OTHER_HOUSES | {"onnxruntime"})


def test_doctor_loads_nothing_that_it_looks_for() -> None:
    assert not modules_after(command("doctor")) & (INTERPRETERS | CLOUD | TRAINING | OTHER_HOUSES)


@pytest.mark.parametrize(
    "module",
    [
        "trainer.run.run_json",
        "serverless.app",
        "trainer.cli",
        "exporter.cli",
        "exporter.check_cli",
        "serverless.serving.cli",
        "phone.cli",
    ],
)
def test_module_is_imported_without_training_libraries(module: str) -> None:
    assert not modules_after(f"import {module}") & (TRAINING | INTERPRETERS | {"boto3", "botocore"})


def test_importing_snapship_loads_nothing_until_a_name_is_used() -> None:
    assert not modules_after("import snapship") & {"edge_runtime", "numpy", "click", *OTHER_HOUSES}
    loaded = modules_after("import snapship; snapship.Classifier")
    assert "edge_runtime" in loaded
    assert not loaded & OTHER_HOUSES
