"""A study: the same linear model under every mapping on one table of data, and what differed."""

from lastlayer.study.comparisons import MARGIN
from lastlayer.study.error import StudyError
from lastlayer.study.results import StudyResults, StudySettings
from lastlayer.study.run import run_study

__all__ = ["MARGIN", "StudyError", "StudyResults", "StudySettings", "run_study"]
