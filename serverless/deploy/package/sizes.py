"""The size of each part of a package."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from serverless.deploy.package.result import PartSize
from serverless.deploy.package.tree import Tree


def part_sizes(tree: Tree, zipped: Mapping[str, int] | None = None) -> tuple[PartSize, ...]:
    """Adds the sizes of a package's files up by part.

    Args:
        tree: The package's files.
        zipped: Compressed size of each file; None if nothing is compressed.

    Returns:
        The sizes, largest first.
    """
    files: Counter[str] = Counter()
    size: Counter[str] = Counter()
    packed: Counter[str] = Counter()
    for file, part in tree.parts.items():
        files[part] += 1
        size[part] += len(tree.files[file])
        packed[part] += zipped[file] if zipped is not None else 0
    rows = [
        PartSize(part, tree.versions.get(part, ""), files[part], size[part], packed[part]) for part in files
    ]
    return tuple(sorted(rows, key=lambda row: (-row.bytes, row.name)))
