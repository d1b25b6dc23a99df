"""Makes tests/data/digits.bundle: a real, tiny bundle that tests of the runtime share.

Run from the checkout after a change of the bundle's schema:
    python tests/data/make_digits_bundle.py
"""

import shutil
import tempfile
from pathlib import Path

from exporter import ExportConfig, export
from trainer import TrainConfig, train

HERE = Path(__file__).parent


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "digits"
        train(TrainConfig(data="digits", model="small_cnn", size=16, out=run))
        made = Path(folder) / "digits.bundle"
        export(ExportConfig(source=run, out=made, golden=6))
        # The page is of no use to a test.
        (made / "report.html").unlink()
        shutil.rmtree(HERE / "digits.bundle", ignore_errors=True)
        shutil.copytree(made, HERE / "digits.bundle")


if __name__ == "__main__":
    main()
