"""A study: the same linear model under every mapping on one table of data, and what differed."""

from lastlayer.study.error import StudyError
from lastlayer.study.fit.final import load_model
from lastlayer.study.progress import StudyProgress
from lastlayer.study.run import run_study
from lastlayer.study.settings import MARGIN, StudySettings
from lastlayer.study.storage.results import StudyResults

__all__ = ["MARGIN", "StudyError", "StudyProgress", "StudyResults", "StudySettings", "load_model", "run_study"]
