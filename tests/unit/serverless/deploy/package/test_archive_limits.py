from __future__ import annotations

import pytest

from serverless.deploy.config.errors import LimitError
from serverless.deploy.package.archive import (
    DIRECT_ZIP_BYTES,
    IMAGE_BYTES,
    UNZIPPED_BYTES,
    check_image,
    check_unzipped,
    upload_note,
)
from serverless.deploy.package.config import PartSize

MB = 1024 * 1024
PARTS = (
    PartSize("bundle", "", 3, 200 * MB, 0),
    PartSize("numpy", "2.4.6", 271, 42 * MB, 0),
    PartSize("pillow", "13.0.0", 210, 12 * MB, 0),
    PartSize("anyio", "4.16.0", 91, MB, 0),
)


def test_check_unzipped_says_the_numbers_and_what_is_largest() -> None:
    check_unzipped(UNZIPPED_BYTES, PARTS)
    with pytest.raises(LimitError) as caught:
        check_unzipped(255 * MB, PARTS)
    text = str(caught.value)
    assert "at most 250 MB" in text
    assert "255.0 MB" in text
    assert "bundle 200.0, numpy 42.0, pillow 12.0" in text
    assert "anyio" not in text
    assert caught.value.exit_code == 2


def test_check_image_says_the_numbers() -> None:
    check_image(IMAGE_BYTES)
    with pytest.raises(LimitError, match=r"at most 10,240 MB. Received: 10,241.0 MB"):
        check_image(IMAGE_BYTES + MB)


def test_upload_note_is_for_what_aws_does_not_take_directly() -> None:
    assert upload_note(DIRECT_ZIP_BYTES) is None
    note = upload_note(DIRECT_ZIP_BYTES + 1)
    assert note is not None
    assert "S3" in note
