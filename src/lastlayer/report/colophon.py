"""What one needs to repeat a study and to look its methods up: command, date, duration, versions, references."""

from __future__ import annotations

import math
import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from lastlayer.mappings import ProbabilityMapping
from lastlayer.report.mappings import records
from lastlayer.report.reading import Reading
from lastlayer.words.lists import sentence
from lastlayer.words.numbers import seconds
from lastlayer.words.printable import clean

LIBRARIES = ("lastlayer", "numpy", "scipy", "scikit-learn", "skrub", "pandas")


@dataclass(frozen=True)
class Reference:
    """A publication, with the address of its DOI or page, empty if there is none."""

    text: str
    link: str = ""


REFERENCES = (
    Reference(
        "Nadeau & Bengio 2003, Inference for the generalization error (the corrected t of repeated splits).",
        "https://doi.org/10.1023/A:1024068626366",
    ),
    Reference(
        "Bouckaert & Frank 2004, Evaluating the replicability of significance tests for comparing learning algorithms.",
        "https://doi.org/10.1007/978-3-540-24775-3_3",
    ),
    Reference(
        "Holm 1979, A simple sequentially rejective multiple test procedure.", "https://www.jstor.org/stable/4615733"
    ),
    Reference(
        "Brier 1950, Verification of forecasts expressed in terms of probability.",
        "https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
    ),
    Reference(
        "Guo, Pleiss, Sun & Weinberger 2017, On calibration of modern neural networks.",
        "https://proceedings.mlr.press/v70/guo17a.html",
    ),
    Reference(
        "Wilson 1927, Probable inference, the law of succession, and statistical inference.",
        "https://doi.org/10.1080/01621459.1927.10502953",
    ),
    Reference(
        "Breiman, Friedman, Olshen & Stone 1984, Classification and regression trees, section 3.4.3 (one standard error).",
        "https://doi.org/10.1201/9781315139470",
    ),
)


def run_facts(reading: Reading) -> list[tuple[str, str]]:
    """(heading, text) of what is known of the run."""
    results = reading.results
    facts = [
        ("Date", clean(results.started)),
        ("Duration", "" if math.isnan(results.seconds) else duration(results.seconds)),
        ("Seed", str(results.settings.seed)),
        ("Versions", ", ".join(f"{name} {number}" for name, number in versions())),
    ]
    return [(heading, text) for heading, text in facts if text]


def duration(value: float) -> str:
    """A duration in minutes and seconds, hours and minutes where it is long.

    >>> duration(83.4), duration(7325.0)
    ('1 min 23 s', '2 h 2 min')
    """
    if value < 60:
        return seconds(value)
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def versions() -> list[tuple[str, str]]:
    """The libraries that wrote this page, and Python."""
    found = [("Python", platform.python_version())]
    for library in LIBRARIES:
        try:
            found.append((library, version(library)))
        except PackageNotFoundError:
            continue
    return found


#: The beginning of a record's reference, up to the year → address.
_LINKS = {
    "Blanchard, Higham & Higham 2021": "https://doi.org/10.1093/imanum/draa038",
    "Blondel, Martins & Niculae 2020": "https://arxiv.org/abs/1901.02324",
    "Bridle 1990": "https://doi.org/10.1007/978-3-642-76153-9_28",
    "Crammer & Singer 2001": "https://www.jmlr.org/papers/v2/crammer01a.html",
    "Dugas et al. 2001": "https://papers.nips.cc/paper/1920-incorporating-second-order-functional-knowledge-for-better-option-pricing",
    "Laha et al. 2018": "https://arxiv.org/abs/1810.11975",
    "Martins & Astudillo 2016": "https://arxiv.org/abs/1602.02068",
    "Miller 2023": "https://www.evanmiller.org/attention-is-off-by-one.html",
    "Peters, Niculae & Martins 2019": "https://doi.org/10.18653/v1/P19-1146",
    "Prieto et al. 2025": "https://arxiv.org/abs/2501.04697",
    "Tsallis 1988": "https://doi.org/10.1007/BF01016429",
    "Vincent, de Brébisson & Bouthillier 2015": "https://arxiv.org/abs/1412.7091",
    "de Brébisson & Vincent 2016": "https://arxiv.org/abs/1511.05042",
}
_UP_TO_THE_YEAR = re.compile(r"\D*\d{4}")


def references(reading: Reading) -> list[Reference]:
    """What the method rests on, then what each mapping's record names."""
    return [*REFERENCES, *mapping_references(records(reading.rows).values())]


def mapping_references(found: Iterable[ProbabilityMapping]) -> list[Reference]:
    """What the records of mappings name, in the order of the alphabet."""
    texts = {text for record in found for text in record.references}
    return [Reference(sentence(text), address(text)) for text in sorted(texts)]


def address(text: str) -> str:
    """Where a record's reference can be read; empty if that is not known."""
    found = _UP_TO_THE_YEAR.match(text)
    return _LINKS.get(found.group(), "") if found else ""
