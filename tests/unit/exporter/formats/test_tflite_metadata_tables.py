from __future__ import annotations

import pytest

from exporter.formats import tflite_metadata_tables as tables

RECORD = {
    "name": "flowers",
    "description": "Fünf Blüten",
    "subgraphs": [
        {
            "inputs": [
                {
                    "name": "image",
                    "content": {"image": {"color_space": tables.COLOR_SPACES["RGB"]}},
                    "process_units": [{"normalization": {"mean": [0.0, 1.5], "std": [1.0, 2.0]}}],
                    "stats": {"min": [0.0], "max": [255.0]},
                }
            ],
            "outputs": [
                {
                    "name": "score",
                    "content": {"feature": {}},
                    "files": [
                        {"name": "labels.txt", "type": tables.TENSOR_AXIS_LABELS},
                        {"name": "other"},
                    ],
                }
            ],
        }
    ],
    "min_parser_version": "1.0.0",
}


def test_record_comes_back_as_it_was_written() -> None:
    data = tables.packed(RECORD)
    assert data[4:8] == b"M001"
    assert tables.unpacked(data) == RECORD
    assert tables.packed(RECORD) == data


def test_field_that_is_not_set_is_left_out() -> None:
    assert tables.unpacked(tables.packed({"name": "only"})) == {"name": "only"}


@pytest.mark.parametrize("keep", [0, 7, 40, 100])
def test_cut_record_is_a_value_error(keep: int) -> None:
    with pytest.raises(ValueError, match=r"identifier|damaged"):
        tables.unpacked(tables.packed(RECORD)[:keep])
