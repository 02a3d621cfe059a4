"""What makes a split of the data untrustworthy: leaks, groups, drift, duplicates, classes that hardly occur."""

from __future__ import annotations

from lastlayer.report.sentences.wording import Wording

#: The code of a finding → its wording.
SENTENCES: dict[str, Wording] = {}
