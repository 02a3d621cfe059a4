"""A sentence for each finding: one file per place where findings come from."""

from lastlayer.report.sentences import course, data, fits, suspicions
from lastlayer.report.sentences.wording import Group, Wording

#: The code of a finding → its wording.
SENTENCES: dict[str, Wording] = data.SENTENCES | suspicions.SENTENCES | course.SENTENCES | fits.SENTENCES

__all__ = ["SENTENCES", "Group", "Wording"]
