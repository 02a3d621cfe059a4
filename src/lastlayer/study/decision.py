"""What to use after a study: the reference, or a mapping that is better by more than chance and the margin."""

from __future__ import annotations

from lastlayer.findings import Finding

#: Nothing was compared.
NO_DECISION = Finding("nothing_compared")
