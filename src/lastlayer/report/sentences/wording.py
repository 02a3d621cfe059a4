"""How a finding is put into words: where it is shown, its sentences, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from lastlayer.findings import Finding
from lastlayer.words.names import clipped

#: Characters of a file's name that a sentence has room for.
_FILE = 60


class Group(StrEnum):
    """Where a finding is shown; the order is that of the report."""

    #: Calls the whole result into question: shown before the answer.
    WARNING = "Before you read on"
    DATA = "Your data"
    FITS = "The fits"
    METHOD = "The method"


def _nothing(finding: Finding) -> str:
    return ""


@dataclass(frozen=True)
class Wording:
    """The words for one code: the group, the sentences that say what was found, and the sentence that says what to do.

    Attributes:
        is_warning: whether a finding of this code is a warning, where only some are; the others are in `group`.
    """

    group: Group
    sentence: Callable[[Finding], str]
    remedy: Callable[[Finding], str] = _nothing
    is_warning: Callable[[Finding], bool] | None = None

    def group_of(self, finding: Finding) -> Group:
        """Where this finding is shown."""
        return Group.WARNING if self.is_warning is not None and self.is_warning(finding) else self.group


def naming_file(wording: Wording) -> Wording:
    """The same words, which begin with the file where the finding has one: an evaluation reads one file to judge and one to fit to."""

    def sentence(finding: Finding) -> str:
        text, file = wording.sentence(finding), finding.facts.get("file")
        return text if not file else f"In {clipped(str(file), _FILE)}, {text[:1].lower()}{text[1:]}"

    return replace(wording, sentence=sentence)
