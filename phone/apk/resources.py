"""``resources.arsc``: the app's name, icon and theme, in the form that Android reads."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from phone.apk.string_pool import NOTHING, StringPool, Type, chunk, value

ICON_PNG = "res/icon.png"
ICON_XML = "res/icon.xml"

LABEL = 0x7F010000
ICON = 0x7F020000
ICON_PICTURE = 0x7F020001
ICON_BACKGROUND = 0x7F030000
THEME = 0x7F040000
"""Resource ids: package 0x7f, then the type, then the entry, in the order of :func:`encode_resources`."""

_TABLE, _PACKAGE, _TYPE, _TYPE_SPEC = 0x0002, 0x0200, 0x0201, 0x0202
_COMPLEX = 0x0001

_LIGHT_THEME, _DARK_THEME = 0x01030241, 0x0103022E
"""``android:Theme.Material.Light.NoActionBar`` and ``android:Theme.Material.NoActionBar``."""

_BAR_ATTRIBUTES = (0x01010451, 0x01010452)
_WINDOW_BACKGROUND = 0x01010054
_DARK_ICONS_ON_BARS = (0x010104E0, 0x0101056C)
_LIGHT, _DARK = 0xFFFFFFFF, 0xFF121212
"""Behind the page, and under the system's bars."""

_NIGHT = 0x20
_XXXHDPI, _ANY_DENSITY = 640, 0xFFFE


@dataclass(frozen=True)
class _Config:
    """When a value applies; 0 is always."""

    density: int = 0
    since: int = 0
    ui_mode: int = 0

    def encode(self) -> bytes:
        # size, imsi, locale, screenType, input, screenSize, version, screenConfig: see ResTable_config.
        head = struct.pack(
            "<IIIHHIIHHBBH", 64, 0, 0, 0, self.density, 0, 0, self.since, 0, 0, self.ui_mode, 0
        )
        return head.ljust(64, b"\0")

    def differs(self) -> int:
        """The axes that it depends on, as flags of ``ResTable_typeSpec``."""
        return (
            (0x0100 if self.density else 0) | (0x0400 if self.since else 0) | (0x1000 if self.ui_mode else 0)
        )


@dataclass(frozen=True)
class _Style:
    parent: int
    items: tuple[tuple[int, int, int], ...]


def encode_resources(package: str, label: str, background: int) -> bytes:
    """The table of all resources.

    Args:
        package: Name of the package.
        label: Name of the app, as the launcher shows it.
        background: Colour behind the icon, ARGB.
    """
    strings = StringPool()
    plain = _Config()

    def text(content: str) -> bytes:
        return value(Type.STRING, strings.index(content))

    picture = {_Config(density=_XXXHDPI): text(ICON_PNG)}
    types: tuple[tuple[str, dict[str, dict[_Config, bytes | _Style]]], ...] = (
        ("string", {"label": {plain: text(label)}}),
        # An adaptive icon, which the launcher cuts to its shape, from Android 8 on.
        (
            "mipmap",
            {
                "icon": {**picture, _Config(_ANY_DENSITY, since=26): text(ICON_XML)},
                "icon_picture": {**picture},
            },
        ),
        ("color", {"icon_background": {plain: value(Type.COLOUR, background)}}),
        ("style", {"app": {plain: _theme(dark=False), _Config(ui_mode=_NIGHT): _theme(dark=True)}}),
    )
    names, keys = StringPool(), StringPool()
    body = b""
    for number, (name, entries) in enumerate(types, start=1):
        names.index(name)
        body += _type(number, entries, keys)
    names_chunk, keys_chunk = names.encode(), keys.encode()
    header = 288
    fields = struct.pack(
        "<I256sIIIII",
        0x7F,
        package.encode("utf-16-le"),
        header,
        len(types),
        header + len(names_chunk),
        # The last public name of each pool; all are.
        sum(len(entries) for _, entries in types),
        0,
    )
    content = chunk(_PACKAGE, fields, names_chunk + keys_chunk + body)
    return chunk(_TABLE, struct.pack("<I", 1), strings.encode() + content)


def _theme(dark: bool) -> _Style:
    """Light or dark as the phone is; the page reads it as ``prefers-color-scheme``."""
    colour = _DARK if dark else _LIGHT
    items = [(name, Type.COLOUR, colour) for name in (*_BAR_ATTRIBUTES, _WINDOW_BACKGROUND)]
    items += [(name, Type.BOOLEAN, 0 if dark else NOTHING) for name in _DARK_ICONS_ON_BARS]
    return _Style(_DARK_THEME if dark else _LIGHT_THEME, tuple(sorted(items)))


def _type(number: int, entries: dict[str, dict[_Config, bytes | _Style]], keys: StringPool) -> bytes:
    flags = []
    configs: dict[_Config, None] = {}
    for values in entries.values():
        combined = 0
        for config in values:
            configs[config] = None
            combined |= config.differs()
        flags.append(combined)
    count = len(entries)
    spec = chunk(_TYPE_SPEC, struct.pack("<BBHI", number, 0, 0, count), struct.pack(f"<{count}I", *flags))
    return spec + b"".join(_values(number, entries, config, keys) for config in configs)


def _values(
    number: int, entries: dict[str, dict[_Config, bytes | _Style]], config: _Config, keys: StringPool
) -> bytes:
    offsets, data = [], b""
    for name, values in entries.items():
        key, found = keys.index(name), values.get(config)
        offsets.append(NOTHING if found is None else len(data))
        if isinstance(found, bytes):
            data += struct.pack("<HHI", 8, 0, key) + found
        elif found is not None:
            data += struct.pack("<HHIII", 16, _COMPLEX, key, found.parent, len(found.items))
            data += b"".join(
                struct.pack("<I", item) + value(kind, content) for item, kind, content in found.items
            )
    count = len(offsets)
    start = 84 + 4 * count
    fields = struct.pack("<BBHII", number, 0, 0, count, start) + config.encode()
    return chunk(_TYPE, fields, struct.pack(f"<{count}I", *offsets) + data)
