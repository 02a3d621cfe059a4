"""A finding as data: an identifier and the facts that its sentence needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """Something that a reader of the results must know.

    Attributes:
        code: an identifier; `lastlayer.report.notes` has a sentence for each.
        mapping: the label of the mapping it is about, empty where it is about the data or the whole study.
        facts: what the sentence needs, by identifier: numbers, lists, and text that comes from the user's data or code
            (a column's name, a cell, an exception's message). Never a sentence of ours.
    """

    code: str
    mapping: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def form(self) -> dict[str, Any]:
        """The finding as JSON holds it, once `to_json` has made its numbers JSON's."""
        return {"code": self.code, "mapping": self.mapping, "facts": dict(self.facts)}

    @classmethod
    def from_form(cls, form: Mapping[str, Any]) -> Finding:
        """The finding that `form` gave.

        Raises:
            KeyError: a part is missing.
            TypeError: a part is of another kind.
        """
        code, mapping, facts = form["code"], form["mapping"], form["facts"]
        if not (isinstance(code, str) and isinstance(mapping, str) and isinstance(facts, dict)):
            raise TypeError(f"{form!r} is no finding")
        return cls(code, mapping, facts)
