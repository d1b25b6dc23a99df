"""Which npm packages an app contains, and the hash of every file of theirs that it uses.

To take a newer version: change it here with the hashes, and run the tests of ``tests/e2e/phone``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """One file of a package.

    Attributes:
        path: Inside the package.
        sha256: 64 hex digits.
        to: Inside the app; empty for a licence, which goes into ``LICENSES.txt``.
    """

    path: str
    sha256: str
    to: str = ""


@dataclass(frozen=True)
class Pinned:
    """One package.

    Attributes:
        name: As npm knows it.
        version: The only one that is taken.
        files: What the app uses of it.
    """

    name: str
    version: str
    files: tuple[File, ...]

    @property
    def spec(self) -> str:
        """The package as npm installs it."""
        return f"{self.name}@{self.version}"


LITERT = Pinned(
    "@litertjs/core",
    "2.5.3",
    (
        File(
            "dist/index.js",
            "e7daccc3a31eef890848a737ccb863ded5f046a6b40c3fdc0556495adeb5d9b3",
            "engine/litert/core.js",
        ),
        # The build without relaxed SIMD: its scores have the same bits in every browser.
        File(
            "wasm/litert_wasm_compat_internal.js",
            "4d8f894b7883654fd6e8439730aa41e79ceaab7d19184fc4f1f0b0f1a2a2c8a5",
            "engine/litert/litert_wasm_compat_internal.js",
        ),
        File(
            "wasm/litert_wasm_compat_internal.wasm",
            "5255c8ad06eabdbd2522cdebf6b22fc10faf74625c23a49b9e072570cd1fa41c",
            "engine/litert/litert_wasm_compat_internal.wasm",
        ),
    ),
)

WASM_UTILS = Pinned(
    "@litertjs/wasm-utils",
    "2.5.3",
    (
        File(
            "dist/index.js",
            "e0e20bc28ab001ac732cf40d15b6eebd24fb0deaeb95eeba5100f51eebf015f2",
            "engine/litert/wasm_utils.js",
        ),
    ),
)

JPEG = Pinned(
    "@jsquash/jpeg",
    "1.6.0",
    (
        File(
            "codec/dec/mozjpeg_dec.js",
            "a6836b2d03d4fdda64b4aef380e6298d7421c070e7e1e4cf13ec129df7aa0b5e",
            "engine/jpeg/mozjpeg_dec.js",
        ),
        File(
            "codec/dec/mozjpeg_dec.wasm",
            "a7c4b12169817e779ff4af137981393ae924944e167ad1bd95747c9199162d3e",
            "engine/jpeg/mozjpeg_dec.wasm",
        ),
        File("LICENSE", "8c3690b09c168f196446cf5904332023bbc15eb92b6a7cee470ac829e6a65d20"),
        File("codec/LICENSE.codec.md", "8213556ea36ce3a0f2883db06238463e2452fdad68e3d2e2e4ace2189477a37e"),
    ),
)

PACKAGES = (LITERT, WASM_UTILS, JPEG)
"""All packages of an app."""

LICENSE_OF_JPEG = ("LICENSE", "codec/LICENSE.codec.md")
"""Of :data:`JPEG`: its own, and that of the decoder inside."""

BARE_IMPORT = b'from "@litertjs/wasm-utils"'
"""In LiteRT.js; a browser cannot resolve it, and import maps do not reach workers."""

RELATIVE_IMPORT = b'from "./wasm_utils.js"'
