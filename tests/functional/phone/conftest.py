"""The engine's packages, and an app that is made of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from edge_runtime.common.errors import EnvironmentMissingError
from phone.engine.fetching import cache_folder, engine_files
from phone.making import PhoneConfig, make_app


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for ``--engine``: of ``make acceptance``, else fetched by npm."""
    installed = Path(sys.prefix) / "acceptance" / "phone"
    if (installed / ".ready").is_file():
        return installed
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("engine"))
    try:
        engine_files(None)
        return cache_folder()
    except EnvironmentMissingError as error:
        pytest.skip(f"needs the packages of the phone app: {error}")
    finally:
        if before is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session")
def digits_app(digits_bundle: Path, engine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app of the digits. Read only; copy it to change it."""
    out = tmp_path_factory.mktemp("phone") / "digits-app"
    make_app(PhoneConfig(bundle=digits_bundle, out=out, engine=engine))
    return out
