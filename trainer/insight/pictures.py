"""Small pictures as data URIs for a page."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from edge_runtime.preprocess import UInt8Array
from edge_runtime.result import Float32Array
from trainer.insight.feature_maps import FeatureMaps
from trainer.insight.filters import Filters

SIDE = 144
"""Longest side of a picture, in pixels."""

_TILE, _GAP = 56, 2
_ACROSS = 8
_QUALITY = 78


def thumbnail(image: UInt8Array) -> str:
    """Returns the model's input as a picture: an enlarged PNG for tiny inputs, else a JPEG.

    Args:
        image: uint8 ``[height, width, 1 or 3]``.
    """
    picture: Any = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    if max(picture.size) < SIDE // 2:
        return _uri(_enlarged(picture), "PNG")
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    return _uri(picture, "JPEG")


def heat_overlay(image: UInt8Array, heat: Float32Array) -> str:
    """Returns a gray copy of an image under the colours of a heat map.

    Args:
        image: uint8 ``[height, width, 1 or 3]``.
        heat: float32 ``[rows, columns]``, 0 and above; scaled to its own maximum.
    """
    from matplotlib import colormaps

    picture: Any = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image).convert("L")
    if max(picture.size) < SIDE // 2:
        picture = _enlarged(picture)
    else:
        picture.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    peak = float(heat.max())
    scaled = heat / peak if peak > 0 else heat
    small = Image.fromarray(np.asarray(scaled, np.float32))
    share = np.clip(np.asarray(small.resize(picture.size, Image.Resampling.BICUBIC)), 0, 1)
    colour = colormaps["inferno"](share)[..., :3] * 255
    gray = np.asarray(picture, np.float32)[..., None]
    weight = (0.25 + 0.5 * share)[..., None]
    mixed = gray * (1 - weight) + colour * weight
    return _uri(Image.fromarray(np.rint(np.clip(mixed, 0, 255)).astype(np.uint8)), "JPEG")


def map_strip(maps: FeatureMaps) -> str:
    """Returns the channels of a layer side by side, each scaled from black to white.

    Args:
        maps: Feature maps of a layer.
    """
    count = len(maps.maps)
    rows, columns = maps.maps.shape[1:]
    height = max(8, round(_TILE * rows / max(rows, columns)))
    width = max(8, round(_TILE * columns / max(rows, columns)))
    sheet = Image.new("L", (count * (width + _GAP) - _GAP, height), 128)
    for place, values in enumerate(maps.maps):
        low, high = float(values.min()), float(values.max())
        tile = Image.fromarray(np.rint(255 * (values - low) / max(high - low, 1e-12)).astype(np.uint8))
        how = Image.Resampling.NEAREST if columns < width else Image.Resampling.BILINEAR
        sheet.paste(tile.resize((width, height), how), (place * (width + _GAP), 0))
    return _uri(sheet, "JPEG")


def filter_sheet(filters: Filters) -> str:
    """Returns all kernels in rows.

    Args:
        filters: The filters of the first layer.
    """
    count, height, width, channels = filters.pictures.shape
    factor = max(1, 28 // max(height, width))
    tile = (width * factor, height * factor)
    rows, across = -(-count // _ACROSS), min(_ACROSS, count)
    size = (across * (tile[0] + _GAP) - _GAP, rows * (tile[1] + _GAP) - _GAP)
    sheet = Image.new("RGBA", size, (0, 0, 0, 0))
    for place, kernel in enumerate(filters.pictures):
        picture = Image.fromarray(kernel[:, :, 0] if channels == 1 else kernel).convert("RGBA")
        corner = (place % across * (tile[0] + _GAP), place // across * (tile[1] + _GAP))
        sheet.paste(picture.resize(tile, Image.Resampling.NEAREST), corner)
    return _uri(sheet, "PNG")


def _enlarged(picture: Any) -> Any:
    factor = max(1, SIDE // max(picture.size))
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)


def _uri(picture: Any, kind: str) -> str:
    stored = io.BytesIO()
    picture.save(stored, kind, **({"quality": _QUALITY} if kind == "JPEG" else {"optimize": True}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stored.getvalue()).decode('ascii')}"
