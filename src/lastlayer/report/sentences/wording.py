"""How a finding is put into words: where it is shown, its sentences, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from lastlayer.findings import Finding


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
