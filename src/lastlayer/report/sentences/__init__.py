"""A sentence for each finding: one file per place where findings come from."""

from lastlayer.report.sentences import calibration, course, data, fits, scores, suspicions
from lastlayer.report.sentences.wording import Group, Wording, naming_file

#: The code of a study's finding → its wording.
SENTENCES: dict[str, Wording] = data.SENTENCES | suspicions.SENTENCES | course.SENTENCES | fits.SENTENCES
#: The code of an evaluation's finding → its wording.
EVALUATION_SENTENCES: dict[str, Wording] = {
    code: naming_file(wording) for code, wording in (scores.SENTENCES | calibration.SENTENCES).items()
}
#: Codes of both → a fact that only the study's finding has.
SHARED_CODES = {"few_rows": "rarest", "zero_probability": "share"}

__all__ = ["EVALUATION_SENTENCES", "SENTENCES", "SHARED_CODES", "Group", "Wording"]
