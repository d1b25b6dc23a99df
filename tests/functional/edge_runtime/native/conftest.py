"""Makes core_hosts.py importable: `tests` is no package, and other people's packages install one."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
