"""The JSON form: the keys that the command promises, and JSON whatever the numbers."""

from __future__ import annotations

import json
import math

import pytest

from lastlayer.comparison import compare
from lastlayer.version import __version__


def form(*scores: float, **options: object) -> dict:
    return json.loads(json.dumps(compare(scores, **options).to_dict(), allow_nan=False))  # type: ignore[arg-type]


@pytest.mark.parametrize("scores", [(1, 0.5), (2, -1, 0.5), (1, -1), (1, 0), (math.inf, 0), (-math.inf, -math.inf)])
@pytest.mark.parametrize("label", [None, 0])
def test_keys_and_types(scores, label):
    result = form(*scores, label=label)
    question = ["version", "scores", "label", "softcap", "temperature", "reached"]
    assert list(result) == [*question, "mappings", "claims"]
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
        assert list(claim) == ["name", "claim", "here", "evidence", "in_general", "brief", "reason", "shown_by"]
        assert claim["here"] in ("yes", "no", "half true", "not tested")
        assert claim["in_general"] in ("true", "false", "depends", "half true")


def test_infinities_are_strings_and_undefined_is_null():
    entries = {entry["name"]: entry for entry in form(1, 0, label=1)["mappings"]}
    assert entries["ratio"]["losses"] == [0.0, "inf"]
    assert entries["ratio"]["log_probabilities"] == [0.0, "-inf"]
    assert entries["ratio"]["gradient"] == [1.0, "-inf"]
    assert form(math.inf, -math.inf)["scores"] == ["inf", "-inf"]
    undefined = {entry["name"]: entry for entry in form(1, -1)["mappings"]}["ratio"]
    assert [undefined[key] for key in ("probabilities", "losses", "entropy", "support")] == [None] * 4


def test_the_answer_says_which_question_it_answers():
    result = form(1, 0.5, label=1, softcap=1.0, temperature=2.0, mappings=["ratio"])
    assert result["version"] == __version__
    asked = {key: result[key] for key in ("scores", "label", "softcap", "temperature")}
    assert asked == {"scores": [1.0, 0.5], "label": 1, "softcap": 1.0, "temperature": 2.0}
    assert [entry["name"] for entry in result["mappings"]] == ["ratio"]
    # tanh(1) / 2 and tanh(0.5) / 2
    assert result["reached"] == pytest.approx([0.3807970780, 0.2310585786], abs=1e-10)
