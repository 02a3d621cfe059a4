"""The modules of docs/, which the build of the site imports by their names, and those of this folder."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
sys.path[:0] = [str(Path(__file__).parent), str(DOCS)]
