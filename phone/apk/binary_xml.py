"""Android's binary XML: what ``AndroidManifest.xml`` and the icon are inside a package."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from phone.apk.string_pool import NOTHING, StringPool, Type, chunk, value

_XML, _RESOURCE_IDS = 0x0003, 0x0180
_START_NAMESPACE, _END_NAMESPACE, _START_ELEMENT, _END_ELEMENT = 0x0100, 0x0101, 0x0102, 0x0103
_ANDROID = "http://schemas.android.com/apk/res/android"

ATTRIBUTES = {
    "theme": 0x01010000,
    "label": 0x01010001,
    "icon": 0x01010002,
    "name": 0x01010003,
    "exported": 0x01010010,
    "authorities": 0x01010018,
    "grantUriPermissions": 0x0101001B,
    "configChanges": 0x0101001F,
    "drawable": 0x01010199,
    "minSdkVersion": 0x0101020C,
    "versionCode": 0x0101021B,
    "versionName": 0x0101021C,
    "windowSoftInputMode": 0x0101022B,
    "targetSdkVersion": 0x01010270,
    "allowBackup": 0x01010280,
    "required": 0x0101028E,
    "supportsRtl": 0x010103AF,
    "inset": 0x010104B5,
    "usesCleartextTraffic": 0x010104EC,
    "compileSdkVersion": 0x01010572,
    "compileSdkVersionCodename": 0x01010573,
}
"""Resource ids of the attributes in Android's own namespace; they never change (``android.R.attr``)."""


@dataclass(frozen=True)
class Number:
    """An attribute that is not text.

    Attributes:
        kind: One of :class:`phone.apk.string_pool.Type`.
        data: Its 32 bits.
    """

    kind: int
    data: int


@dataclass(frozen=True)
class Element:
    """An element of binary XML.

    Attributes:
        name: Its tag.
        attributes: Name to value; ``bool`` and ``int`` as Android stores them. Names that are not in
            :data:`ATTRIBUTES` have no namespace.
        children: Inside it.
    """

    name: str
    attributes: dict[str, str | bool | int | Number] = field(default_factory=dict)
    children: tuple[Element, ...] = ()


def encode_xml(root: Element) -> bytes:
    """The binary form of a document.

    Args:
        root: Its outermost element.
    """
    used = {name for element in _all(root) for name in element.attributes if name in ATTRIBUTES}
    # Android finds an attribute's id by the index of its name, so these names come first.
    ordered = sorted(used, key=ATTRIBUTES.__getitem__)
    strings = StringPool()
    for name in ordered:
        strings.index(name)
    namespace = struct.pack("<II", strings.index("android"), strings.index(_ANDROID))
    nodes = _node(_START_NAMESPACE, namespace) + _element(root, strings) + _node(_END_NAMESPACE, namespace)
    ids = struct.pack(f"<{len(ordered)}I", *(ATTRIBUTES[name] for name in ordered))
    return chunk(_XML, b"", strings.encode() + chunk(_RESOURCE_IDS, b"", ids) + nodes)


def _all(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _all(child)


def _element(element: Element, strings: StringPool) -> bytes:
    name = strings.index(element.name)
    # Android looks attributes up in the order of their ids.
    names = sorted(element.attributes, key=lambda name: (ATTRIBUTES.get(name, NOTHING), name))
    attributes = [_attribute(name, element.attributes[name], strings) for name in names]
    start = struct.pack("<IIHHHHHH", NOTHING, name, 20, 20, len(attributes), 0, 0, 0)
    inside = b"".join(_element(child, strings) for child in element.children)
    end = struct.pack("<II", NOTHING, name)
    return _node(_START_ELEMENT, start + b"".join(attributes)) + inside + _node(_END_ELEMENT, end)


def _attribute(name: str, content: str | bool | int | Number, strings: StringPool) -> bytes:
    namespace = strings.index(_ANDROID) if name in ATTRIBUTES else NOTHING
    raw = NOTHING
    if isinstance(content, str):
        raw = strings.index(content)
        stored = value(Type.STRING, raw)
    elif isinstance(content, bool):
        stored = value(Type.BOOLEAN, -content)
    elif isinstance(content, int):
        stored = value(Type.INTEGER, content)
    else:
        stored = value(content.kind, content.data)
    return struct.pack("<III", namespace, strings.index(name), raw) + stored


def _node(kind: int, content: bytes) -> bytes:
    """A node: its line, which nobody reads, no comment, and its content, which counts as no header."""
    return struct.pack("<HHIII", kind, 16, 16 + len(content), 1, NOTHING) + content
