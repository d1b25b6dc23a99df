"""The own code and the bundle of a package."""

from __future__ import annotations

import ast
import platform
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from edge_runtime import Bundle, Classifier
from edge_runtime.common.errors import BundleError
from edge_runtime.golden import read_golden, verify_files
from serverless.deploy.config.errors import DownloadError
from serverless.deploy.config.rules import Arch
from serverless.deploy.package.archive import part_sizes
from serverless.deploy.package.package_files import Tree, build, bundle_files, own_code, read_record, record
from serverless.deploy.package.wheels import Wheel

ROOT = Path(__file__).resolve().parents[5]


def written(files: dict[str, bytes], place: Path) -> Path:
    for file, data in files.items():
        path = place / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return place


def test_own_code_is_the_runtime_and_the_app_and_nothing_that_deploys() -> None:
    files = own_code("1.2.3", "x86_64")
    app = {path.relative_to(ROOT).as_posix() for path in (ROOT / "serverless" / "app").rglob("*.py")}
    assert app <= files.keys()
    assert {"edge_runtime/classifier.py", "serverless/__init__.py", "serverless/aws.py"} <= files.keys()
    assert "serverless/app/http/page.html" in files
    houses = {"/".join(file.split("/")[:2]) for file in files if file.startswith("serverless/")}
    assert houses == {"serverless/__init__.py", "serverless/app", "serverless/aws.py", "serverless/py.typed"}
    assert not [file for file in files if "__pycache__" in file or file.endswith(".pyc")]
    assert b"Version: 1.2.3" in files["snapship-1.2.3.dist-info/METADATA"]


def test_own_code_holds_every_module_that_it_imports() -> None:
    files = own_code("1", "x86_64", server=True)
    assert "edge_runtime/bench.py" not in files
    lost = {
        (file, name)
        for file, data in files.items()
        if file.endswith(".py")
        for name in imported(ast.parse(data))
        if name.partition(".")[0] in ("edge_runtime", "serverless") and not is_module(name, files)
    }
    assert not lost


def imported(tree: ast.Module) -> Iterator[str]:
    """Modules that a module imports, at its start or later; types are for type checkers alone."""
    typed = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and node not in typed:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node not in typed:
            yield node.module or ""


def is_module(name: str, files: Mapping[str, bytes]) -> bool:
    place = name.replace(".", "/")
    return f"{place}.py" in files or f"{place}/__init__.py" in files


def test_own_code_of_a_container_serves_by_itself() -> None:
    more = own_code("1", "x86_64", server=True).keys() - own_code("1", "x86_64").keys()
    assert "serverless/serving/server.py" in more
    assert all(file.startswith("serverless/serving/") for file in more)


def test_own_code_takes_the_compiled_part_where_it_runs() -> None:
    compiled = sorted((ROOT / "edge_runtime").glob("_native*.so"))
    if not compiled or platform.machine() not in ("x86_64", "aarch64"):
        pytest.skip("not compiled here")
    here: Arch = "x86_64" if platform.machine() == "x86_64" else "arm64"
    there: Arch = "arm64" if here == "x86_64" else "x86_64"
    name = f"edge_runtime/{compiled[0].name}"
    assert own_code("1", here)[name] == compiled[0].read_bytes()
    assert name not in own_code("1", there)
    assert not [file for file in own_code("1", here) if file.endswith((".c", ".h", ".pyi"))]


@pytest.mark.parametrize("kind", ["tflite-int8", "onnx-fp32"])
def test_bundle_files_are_a_bundle_of_one_artifact(digits_bundle: Path, tmp_path: Path, kind: str) -> None:
    bundle = Bundle.open(digits_bundle)
    place = written(bundle_files(bundle, bundle.artifact(kind), "bundle"), tmp_path)
    small = Bundle.open(place / "bundle")
    assert [artifact.kind for artifact in small.manifest.artifacts] == [kind]
    assert small.manifest.labels == bundle.manifest.labels
    # The model, the golden examples' index, and six images.
    assert verify_files(small) == 8
    for example in read_golden(small).examples:
        assert set(example.scores) == {kind}
    names = {path.name for path in (place / "bundle").iterdir()}
    assert names == {"manifest.json", "labels.txt", "golden", bundle.artifact(kind).file}
    with Classifier.open(place / "bundle") as classifier:
        assert classifier.classify(place / "bundle" / "golden" / "4.png").top.label == "4"


def test_bundle_files_of_a_zip_and_a_folder_are_the_same(digits_bundle: Path, tmp_path: Path) -> None:
    zipped = Bundle.open(shutil.make_archive(str(tmp_path / "digits"), "zip", digits_bundle))
    folder = Bundle.open(digits_bundle)
    entry = folder.artifact("tflite-int8")
    assert bundle_files(zipped, entry, "bundle") == bundle_files(folder, entry, "bundle")


def test_bundle_files_of_a_damaged_bundle_are_refused(own_digits_bundle: Path) -> None:
    (own_digits_bundle / "golden" / "2.png").write_bytes(b"other")
    bundle = Bundle.open(own_digits_bundle)
    with pytest.raises(BundleError, match=r"2\.png"):
        bundle_files(bundle, bundle.artifact("tflite-int8"), "bundle")


def test_build_refuses_a_file_of_two_packages(digits_bundle: Path, tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "x-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("edge_runtime/common/errors.py", "mine = True")
    bundle = Bundle.open(digits_bundle)
    wheel = Wheel("x", "1", path, "0" * 64)
    with pytest.raises(DownloadError, match=r"edge_runtime/common/errors\.py from x and snapship"):
        build(bundle, bundle.artifact("tflite-int8"), [wheel], own_code("1", "x86_64"))


def test_record_names_wheels_without_their_place(digits_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(digits_bundle)
    entry = bundle.artifact("tflite-int8")
    wheel = Wheel("x", "1", tmp_path / "x-1-py3-none-any.whl", "0" * 64)
    data = record(bundle, entry, [wheel], "arm64", "3.13", "3.13.1")
    assert str(tmp_path).encode() not in data
    found = read_record(data)
    assert (found.arch, found.python, found.precompiled) == ("arm64", "3.13", "3.13.1")
    assert found.artifact_sha256 == entry.sha256
    assert [(entry.file, entry.sha256) for entry in found.wheels] == [("x-1-py3-none-any.whl", "0" * 64)]


def test_part_sizes_add_up_by_part() -> None:
    files = {"a/x.py": b"123", "a/y.py": b"45", "b/z.py": b"6789000"}
    tree = Tree(files, {"a/x.py": "a", "a/y.py": "a", "b/z.py": "b"}, {"a": "1.0"})
    first, second = part_sizes(tree, {"a/x.py": 3, "a/y.py": 2, "b/z.py": 4})
    assert (first.name, first.version, first.files, first.bytes, first.zipped_bytes) == ("b", "", 1, 7, 4)
    assert (second.name, second.version, second.files, second.bytes, second.zipped_bytes) == (
        "a",
        "1.0",
        2,
        5,
        5,
    )
