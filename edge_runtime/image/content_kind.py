"""Identifies bytes that are not an image, and the cure. Imported only when an image is rejected.

Most of what is sent instead of an image is one that was altered on the way: base64, JSON, gzip, a
text decoder, a phone's HEIC. To the sender the bytes "are a photo", so the message names what
happened to them.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from edge_runtime.image.tiff import Directory, first_directory, short_values

_LOOKED_AT = 4096
"""Number of leading bytes that are examined."""

_REPLACEMENT = b"\xef\xbf\xbd"
_LONG_ENOUGH = 64
_FEW = 4
"""Replacement characters that text may contain by chance; a converted image has more."""


class ContentKind(NamedTuple):
    """A kind of content.

    Attributes:
        name: A few words, with the article.
        cure: What to do, a sentence.
    """

    name: str
    cure: str


_CONVERT = "Convert it first."
_DEVELOP = "Develop it to a JPEG first."
_FRAME = "Send one frame as a JPEG."
_UNPACK = "Unpack it and send the image in it."
_RASTER = "Render it to a PNG first."
_DAMAGED = "Its header is damaged: replace the file."
_DECODE = "Decode it and send the bytes."
_TEXT_MODE = ContentKind("a PNG whose line ends were changed", "Copy it again in binary mode.")

_MAGIC: tuple[tuple[int, bytes, ContentKind], ...] = (
    (0, b"\xff\xd8\xff", ContentKind("a JPEG", _DAMAGED)),
    (0, b"GIF8", ContentKind("a GIF", _DAMAGED)),
    (8, b"WEBP", ContentKind("a WebP", _DAMAGED)),
    (0, b"\x89PNG\n\x1a\n", _TEXT_MODE),
    (0, b"\x89PNG\r\n\x1a\r\n", _TEXT_MODE),
    (0, b"\x89PNG\r\r\n\x1a\r\n", _TEXT_MODE),
    (0, b"\x89PNG", ContentKind("a PNG", _DAMAGED)),
    (0, b"\x1f\x8b", ContentKind("gzip data", "Decompress it first.")),
    (0, b"\x28\xb5\x2f\xfd", ContentKind("zstd data", "Decompress it first.")),
    (0, b"BZh", ContentKind("bzip2 data", "Decompress it first.")),
    (0, b"\xfd7zXZ\0", ContentKind("xz data", "Decompress it first.")),
    (0, b"PK\x03\x04", ContentKind("a zip archive or an office document", _UNPACK)),
    (0, b"PK\x05\x06", ContentKind("an empty zip archive", _UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", ContentKind("a 7z archive", _UNPACK)),
    (0, b"Rar!\x1a\x07", ContentKind("a RAR archive", _UNPACK)),
    (257, b"ustar", ContentKind("a tar archive", _UNPACK)),
    (0, b"\xff\x0a", ContentKind("a JPEG XL", _CONVERT)),
    (0, b"\0\0\0\x0cJXL \r\n\x87\n", ContentKind("a JPEG XL", _CONVERT)),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", ContentKind("a JPEG 2000", _CONVERT)),
    (0, b"\xff\x4f\xff\x51", ContentKind("a JPEG 2000", _CONVERT)),
    (0, b"II\xbc\x01", ContentKind("a JPEG XR", _CONVERT)),
    (0, b"8BPS", ContentKind("a Photoshop document (PSD)", _CONVERT)),
    (0, b"gimp xcf", ContentKind("a GIMP document (XCF)", _CONVERT)),
    (0, b"%PDF", ContentKind("a PDF", _RASTER)),
    (0, b"%!PS", ContentKind("PostScript", _RASTER)),
    (0, b"\xc5\xd0\xd3\xc6", ContentKind("PostScript", _RASTER)),
    (0, b"\0\0\x01\0", ContentKind("an icon (ICO)", _CONVERT)),
    (0, b"\0\0\x02\0", ContentKind("a cursor (CUR)", _CONVERT)),
    (0, b"icns", ContentKind("an icon (ICNS)", _CONVERT)),
    (0, b"qoif", ContentKind("a QOI image", _CONVERT)),
    (0, b"DDS ", ContentKind("a DDS texture", _CONVERT)),
    (0, b"\x76\x2f\x31\x01", ContentKind("an OpenEXR image", _CONVERT)),
    (0, b"#?RADIANCE", ContentKind("a Radiance HDR image", _CONVERT)),
    (0, b"SIMPLE  =", ContentKind("a FITS image", _CONVERT)),
    (128, b"DICM", ContentKind("a DICOM image", "Export it as a PNG first.")),
    (0, b"FUJIFILMCCD-RAW", ContentKind("a raw photo (RAF)", _DEVELOP)),
    (0, b"IIRO", ContentKind("a raw photo (ORF)", _DEVELOP)),
    (0, b"IIRS", ContentKind("a raw photo (ORF)", _DEVELOP)),
    (0, b"MMOR", ContentKind("a raw photo (ORF)", _DEVELOP)),
    (0, b"IIU\0", ContentKind("a raw photo (RW2)", _DEVELOP)),
    (0, b"\x1a\x45\xdf\xa3", ContentKind("a WebM or Matroska video", _FRAME)),
    (8, b"AVI ", ContentKind("an AVI video", _FRAME)),
    (0, b"\0\0\x01\xba", ContentKind("an MPEG video", _FRAME)),
    (0, b"\x93NUMPY", ContentKind("a NumPy array (.npy)", "Load it and pass the array, or save it as a PNG.")),
    (0, b"\x89HDF", ContentKind("an HDF5 file", _UNPACK)),
    (4, b"TFL3", ContentKind("a TFLite model", "Pass an image.")),
    (0, b"\0\x05\x16\x07", ContentKind("a macOS companion file (._ name)", "Use the file without ._ in its name.")),
    (0, b"\xd0\xcf\x11\xe0", ContentKind("an old office document or Thumbs.db", "Pass an image.")),
    (0, b"L\0\0\0\x01\x14\x02\0", ContentKind("a Windows shortcut", "Pass the file that it points to.")),
    (0, b"version https://git-lfs", ContentKind("a Git LFS pointer", "Run: git lfs pull")),
    (0, b"/annex/objects/", ContentKind("a git-annex pointer", "Run: git annex get")),
    (0, b"HTTP/1.", ContentKind("a whole HTTP response", "Pass only its body.")),
)  # fmt: skip
"""Offset, bytes there, and the kind of content."""

_OWN_BYTES = "Send the file's own bytes."
_ASCII_MAGIC = (b"RIFF", b"GIF8", b"II*\0", b"MM\0*")
_LOST = re.compile(rb"\??(?:\?{3})?(?:\0[^\0]{1,3}(?:JFIF|Exif)\0|PNG\r\n\x1a\n)", re.DOTALL)
"""The start of a JPEG or PNG whose bytes over 127 are missing or became question marks."""

_MARK = b"\xef\xbb\xbf"
_SIZE_TAGS = (256, 257)
_HEIF_BRANDS = frozenset(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_DATA_URL = re.compile(rb"data:([a-z0-9.+/-]{0,40})[;,]", re.IGNORECASE)
_FORM_FIELD = re.compile(rb"([A-Za-z0-9_.-]{1,40})=(.{16,})", re.DOTALL)
_ERROR_CODE = re.compile(r"<Error>\s*<Code>([A-Za-z]{1,40})</Code>")


def content_kind(data: bytes) -> ContentKind:
    """Identifies bytes that no decoder accepted.

    Args:
        data: The bytes.
    """
    head = data[:_LOOKED_AT]
    return (
        _mangled(head)
        or _by_magic(head)
        or _tiff(data)
        or _text(head)
        or ContentKind(f"{len(data):,} bytes that start {data[:8].hex(' ')}", _CONVERT)
    )


def went_through_text(data: bytes) -> bool:
    """Whether a damaged image was decoded or encoded as UTF-8 on the way.

    Args:
        data: The bytes, which start like an image.
    """
    head = data[:_LOOKED_AT]
    if head.count(_REPLACEMENT) > _FEW + len(head) // 100:
        return True
    # The last character may be cut off. Binary data of that length is never UTF-8 by chance.
    valid = head.decode("utf-8", "ignore").encode()
    return (
        len(head) >= _LONG_ENOUGH and len(head) - len(valid) < 4 and sum(byte > 127 for byte in head) > _FEW
    )


def _by_magic(head: bytes) -> ContentKind | None:
    if not head.strip(b"\0"):
        return ContentKind("only zero bytes", "Copy or download it again.")
    if head[4:8] == b"ftyp":
        return _media(head)
    return next((kind for at, magic, kind in _MAGIC if head.startswith(magic, at)), None)


def _media(head: bytes) -> ContentKind:
    """HEIC, AVIF and videos share one container, with different brands."""
    size = int.from_bytes(head[:4], "big")
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(size, 256), 4))]
    if b"avif" in brands or b"avis" in brands:
        return ContentKind("an AVIF", _CONVERT)
    if brands[0] == b"crx ":
        return ContentKind("a raw photo (CR3)", _DEVELOP)
    if _HEIF_BRANDS.intersection(brands):
        return ContentKind("a HEIC photo", "Convert it to JPEG first, or set the phone to save JPEG.")
    return ContentKind("an MP4 or MOV video", _FRAME)


def _tiff(data: bytes) -> ContentKind | None:
    directory = first_directory(data)
    if directory is None:
        return None
    tags = {tag for tag, *_ in directory.entries}
    if not tags.issuperset(_SIZE_TAGS) or directory.count > len(directory.entries):
        return ContentKind("a TIFF", _DAMAGED)
    photometric = short_values(data, directory, 262)
    if 50706 in tags or photometric in ((32803,), (34892,)):
        return ContentKind("a raw photo (DNG or similar)", _DEVELOP)
    return ContentKind(
        f"a TIFF of {_samples(data, directory)}", "Save it as RGB or gray of 8 bits per sample, or as a PNG."
    )


def _samples(data: bytes, directory: Directory) -> str:
    """The kind of samples in words, which is why decoders reject a TIFF."""
    bits = short_values(data, directory, 258) or (1,)
    count = (short_values(data, directory, 277) or (len(bits),))[0]
    form = (short_values(data, directory, 339) or (1,))[0]
    colour = (short_values(data, directory, 262) or (0,))[0]
    kind = {2: "signed ", 3: "float ", 5: "complex ", 6: "complex "}.get(form, "")
    way = {0: "white is 0", 1: "black is 0", 2: "RGB", 3: "palette"}.get(colour, f"photometric {colour}")
    return f"{count} {kind}{'sample' if count == 1 else 'samples'} of {bits[0]} bits per pixel ({way})"


def _mangled(head: bytes) -> ContentKind | None:
    """An image that was treated as text: its bytes over 127 are lost or became two each."""
    if _REPLACEMENT in head[:8] or (head.startswith(_ASCII_MAGIC) and went_through_text(head)):
        return ContentKind("an image converted to UTF-8 text, which changed its bytes", _OWN_BYTES)
    if _LOST.match(head):
        return ContentKind("an image converted to ASCII text, which lost bytes", _OWN_BYTES)
    if head.startswith(_MARK) and (inner := _image(head[len(_MARK) :])):
        return ContentKind(f"{inner} behind a byte-order mark", _OWN_BYTES)
    if head[:1] > b"\x7f":
        text = head[:64].decode("utf-8", "ignore")
        for encoding in ("latin-1", "cp1252"):
            if inner := _image(text.encode(encoding, "ignore")):
                return ContentKind(f"{inner} that was encoded as UTF-8 text", _OWN_BYTES)
    return None


def _image(data: bytes) -> str:
    """Name of the image format that starts like this; empty if it is not an image."""
    if data[:2] == b"BM":
        return "a BMP"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "a TIFF"
    found = _by_magic(data) if data else None
    return found.name if found else ""


def _text(head: bytes) -> ContentKind | None:
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        inside = _text(head.decode("utf-16", "replace").encode()) if len(head) > 2 else None
        return ContentKind(
            f"UTF-16 text{f', {inside.name}' if inside else ''}", inside.cure if inside else _CONVERT
        )
    head = head.removeprefix(_MARK).lstrip()
    text = head.decode("utf-8", "replace")
    if head[:1] == b"<":
        return _markup(text)
    if match := _DATA_URL.match(head):
        kind = f" of {match[1].decode()}" if match[1] else ""
        return ContentKind(f"a data: URL{kind}", "Decode what follows the comma and send the bytes.")
    if head[:7].lower() in (b"http://", b"https:/"):
        return ContentKind("a URL", "Download it and pass the image.")
    if head[:2] in (b"b'", b'b"'):
        return ContentKind("bytes as Python prints them", "Send the bytes, not their repr().")
    return _form(head) or _encoded(head) or _json(text, head) or _plain(text, head)


def _markup(text: str) -> ContentKind:
    start = text[:1024].lower()
    if "<svg" in start:
        return ContentKind("an SVG drawing", _RASTER)
    if "<html" in start or "<!doctype html" in start:
        return ContentKind("an HTML page", "Read the error in it, then pass an image.")
    if match := _ERROR_CODE.search(text):
        return ContentKind(f"an S3 error ({match[1]})", "Fix that and download it again.")
    return ContentKind("XML", "Pass an image.")


def _form(head: bytes) -> ContentKind | None:
    if head.startswith(b"--") and b"content-disposition" in head[:512].lower():
        return ContentKind(
            "a multipart form", "Pass only the file's bytes, or send it as multipart/form-data."
        )
    match = _FORM_FIELD.match(head)
    # Only a field whose value is an image: other text may contain an = too.
    if match and (inner := _encoded(match[2].replace(b"%2F", b"/").replace(b"%2B", b"+"))):
        return ContentKind(f"a form field with {inner.name}", _DECODE)
    return None


def _encoded(head: bytes) -> ContentKind | None:
    """Base64 or hexadecimal digits of known content, quoted or not."""
    quoted = head[:1] in (b'"', b"'")
    run = re.sub(rb"[\s\"']|\\n", b"", head[:400])
    run = run.replace(b"%2F", b"/").replace(b"%2B", b"+").replace(b"\\/", b"/")
    match = _BASE64.match(run)
    if match is None:
        return None
    digits = match[0].rstrip(b"=")
    if re.fullmatch(rb"[0-9a-fA-F]+", digits) and (
        name := _image(bytes.fromhex(digits[: 2 * (len(digits) // 2)].decode()))
    ):
        return ContentKind(f"hexadecimal text of {name}", _DECODE)
    try:
        raw = base64.b64decode(
            digits[: 4 * (len(digits) // 4)], altchars=b"-_" if re.search(rb"[-_]", digits) else None
        )
    except (ValueError, binascii.Error):
        return None
    url = "base64url" if re.search(rb"[-_]", digits) else "base64"
    if name := _image(raw):
        where = ", in quotes" if quoted else ""
        return ContentKind(f"{url} text of {name}{where}", _DECODE)
    # Not a known image, but not prose either, with so many characters and no space.
    if len(digits) >= 200:
        return ContentKind(f"{url} text", _DECODE)
    return None


def _json(text: str, head: bytes) -> ContentKind | None:
    if re.match(rb'\{\s*("|\})|\[\s*[\[{"\d\]-]', head):
        cure = 'Pass the image\'s bytes; the endpoint takes {"image": BASE64} as application/json.'
        return ContentKind(f"JSON that starts {text[:16]!r}", cure)
    return None


def _plain(text: str, head: bytes) -> ContentKind | None:
    start = text[:16]
    if len(head) and all(sign.isprintable() or sign in "\t\r\n" for sign in start) and "\ufffd" not in start:
        return ContentKind(f"text that starts {start!r}", "Pass an image.")
    return None
