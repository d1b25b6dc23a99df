"""Bytes of the zip that `snapship package` writes, by part and by file; with `--before`, also of another checkout.

Wheels come from the cache of packages, or from pip's index the first time.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.edge_model import ROOT, facts
from benchmarks.options import add_before
from benchmarks.result import RESULTS, Cell, Column, Figure, Result, as_text, command_line, now, write_result

MODULE = "benchmarks.package_size"
KIND = "tflite-int8"
LARGEST = 12

METHOD = """The zip of the bundle's int8 artifact for Python 3.12 on x86_64, made by each checkout's own
`snapship package`, which replays the golden images from it. *Zipped* adds up the files of a part; headers of the zip
come to the whole. The largest files follow, each with the part before its first slash."""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__)
    made.add_argument("bundle", type=Path, help="a bundle with an int8 artifact")
    add_before(made)
    made.add_argument("--results", type=Path, default=RESULTS, help="folder of the result")
    options = made.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        found = {"now": measure(ROOT, options.bundle, Path(name) / "now.zip")}
        if options.before is not None:
            found["before"] = measure(options.before, options.bundle, Path(name) / "before.zip")
    result = _result(command_line(MODULE, arguments), found)
    print(f"wrote {write_result(result, options.results)}\n{as_text(result)}", file=sys.stderr)
    return result


def measure(checkout: Path, bundle: Path, out: Path) -> dict[str, tuple[int, int]]:
    """Unpacked and zipped bytes of each file of a package; the empty name has those of the whole zip.

    Args:
        checkout: Of this project.
        bundle: With an int8 artifact.
        out: The zip to write.
    """
    program = checkout.absolute() / ".venv" / "bin" / "python"
    words = ["-m", "snapship", "package", bundle.absolute(), "--artifact", KIND, "--out", out]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([str(program), *map(str, words)], cwd=checkout, check=True, env=environment,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    with zipfile.ZipFile(out) as archive:
        files = {info.filename: (info.file_size, info.compress_size) for info in archive.infolist()}
    return {**files, "": (sum(size for size, _ in files.values()), out.stat().st_size)}


def _parts(files: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    parts: dict[str, tuple[int, int]] = {}
    for file, (size, zipped) in files.items():
        part = file.partition("/")[0] or "whole"
        before = parts.get(part, (0, 0))
        parts[part] = (before[0] + size, before[1] + zipped)
    return parts


def _result(command: str, found: dict[str, dict[str, tuple[int, int]]]) -> Result:
    files, before = found["now"], found.get("before")
    parts, old_parts = _parts(files), _parts(before or {})
    largest = sorted((file for file in files if file), key=lambda file: -files[file][1])[:LARGEST]
    shown = [(part, parts.get(part, (0, 0)), old_parts.get(part)) for part in {**parts, **old_parts}]
    shown.sort(key=lambda row: -max(row[1][1], row[2][1] if row[2] else 0))
    shown += [(file, files[file], (before or {}).get(file)) for file in largest]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (name, now_[0], now_[1], None if old is None else old[1], None if old is None else now_[1] / old[1])
        for name, now_, old in shown
    )
    figures: tuple[Figure, ...] = ()
    if before is not None:
        figures = (
            Figure("zipped bytes: now by before", files[""][1] / before[""][1]),
            Figure("unzipped bytes: now by before", files[""][0] / before[""][0]),
        )
    return Result(
        name="package-size",
        group="package-size",
        title="Size of the package for AWS Lambda",
        method=METHOD,
        command=command,
        created=now(),
        quick=False,
        machine=facts(),
        settings={"artifact": KIND},
        columns=(
            Column("part or file"), Column("bytes", "count"), Column("zipped", "count"),
            Column("zipped before", "count"), Column("ratio", "ratio"),
        ),
        rows=rows,
        figures=figures,
    )  # fmt: skip


if __name__ == "__main__":
    main()
