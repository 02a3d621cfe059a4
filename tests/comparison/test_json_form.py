"""The JSON form: the keys that the command promises, and JSON whatever the numbers."""

from __future__ import annotations

import json
import math

import pytest

from lastlayer.comparison import Question, compare, judge
from lastlayer.comparison.json_form import to_json_dict


def form(*scores: float, **options: object) -> dict:
    comparison = compare(Question.ask(scores, **options))  # type: ignore[arg-type]
    return json.loads(json.dumps(to_json_dict(comparison, judge(comparison)), allow_nan=False))


@pytest.mark.parametrize("scores", [(1, 0.5), (2, -1, 0.5), (1, -1), (1, 0), (math.inf, 0), (-math.inf, -math.inf)])
@pytest.mark.parametrize("label", [None, 0])
def test_keys_and_types(scores, label):
    result = form(*scores, label=label)
    assert list(result) == ["scores", "mappings", "claims"]
    for entry in result["mappings"]:
        assert list(entry) == [
            "name",
            "family",
            "defined",
            "error",
            "probabilities",
            "log_probabilities",
            "losses",
            "gradient",
            "entropy",
            "support",
        ]
        assert entry["defined"] is (entry["error"] is None) is (entry["probabilities"] is not None)
        assert (entry["gradient"] is not None) is (entry["defined"] and label is not None)
        assert entry["family"] in ("normalized", "regularized")
    for claim in result["claims"]:
        assert list(claim) == ["claim", "holds", "evidence"]
        assert claim["holds"] in (True, False, None)


def test_infinities_are_strings_and_undefined_is_null():
    entries = {entry["name"]: entry for entry in form(1, 0, label=1)["mappings"]}
    assert entries["ratio"]["losses"] == [0.0, "inf"]
    assert entries["ratio"]["log_probabilities"] == [0.0, "-inf"]
    assert entries["ratio"]["gradient"] == [1.0, "-inf"]
    assert form(math.inf, -math.inf)["scores"] == ["inf", "-inf"]
    undefined = {entry["name"]: entry for entry in form(1, -1)["mappings"]}["ratio"]
    assert [undefined[key] for key in ("probabilities", "losses", "entropy", "support")] == [None] * 4


def test_scores_are_the_ones_given():
    assert form(1, 0.5, softcap=1.0, temperature=3.0)["scores"] == [1.0, 0.5]
