"""Columns that are no features: groups of rows that stay together, and the time of each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lastlayer.findings import Finding
from lastlayer.study.data.forms import BOOLEAN, DATE, NUMBER, apply_form, learn_form
from lastlayer.study.data.names import find_column
from lastlayer.study.data.numbers import is_placeholder
from lastlayer.study.error import StudyError


@dataclass(frozen=True)
class Roles:
    """The names of columns that are used for something else than predicting."""

    target: str | None
    groups: str | None
    time: str | None
    drop: tuple[str, ...]


def find_roles(
    columns: Sequence[str], table: str, *, target: str | None, groups: Any, time: Any, drop: str | Iterable[str]
) -> Roles:
    """The roles of columns, each name found.

    Raises:
        StudyError: a column is not there, is asked for twice, or groups and time are both given.
    """
    if groups is not None and time is not None:
        raise StudyError(
            f"groups is {groups!r} and time is {time!r}; a study splits by one of them. Give the one that later rows will differ in: "
            "groups for new patients, customers or devices, time for the future."
        )
    found = Roles(
        target,
        None if groups is None else find_column(groups, columns, table),
        None if time is None else find_column(time, columns, table),
        tuple(dict.fromkeys(find_column(name, columns, table) for name in ([drop] if isinstance(drop, str) else drop))),
    )
    for role, name in (("groups", found.groups), ("time", found.time)):
        if name is not None and name == target:
            raise StudyError(f"{role} names {name!r}, which is the target; give another column.")
        if name in found.drop:
            raise StudyError(f"{name!r} is to be dropped and to give the {role}; leave it out of one of them.")
    if target is not None and target in found.drop:
        raise StudyError(f"{target!r} is the target, which cannot be dropped; name another column.")
    return found


def group_codes(column: pd.Series) -> tuple[np.ndarray, tuple[Finding, ...]]:
    """A number for each group, in the order of their first rows; each missing value is a group of its own.

    Raises:
        StudyError: there are fewer than two groups.
    """
    codes, distinct = pd.factorize(column)
    codes = codes.astype(np.int64)
    missing = np.flatnonzero(codes < 0)
    codes[missing] = len(distinct) + np.arange(len(missing))
    if len(distinct) + len(missing) < 2:
        raise StudyError(f"Column {column.name!r} holds one group alone; groups need at least two. Leave groups out.")
    found = Finding("rows_without_group", facts={"column": str(column.name), "rows": len(missing), "of": len(codes)})
    return codes, (found,) if len(missing) else ()


def time_values(column: pd.Series, name: str) -> tuple[np.ndarray, str, tuple[Finding, ...]]:
    """Numbers in the order of time, NaN if a cell is empty: the column's numbers, or microseconds since 1970 of its dates.

    Also the kind of the column, number or date.

    Raises:
        StudyError: the cells are neither numbers nor dates.
    """
    learnt = learn_form(column, name)
    form = learnt.form
    if form.kind not in (NUMBER, DATE) or form.kind == BOOLEAN:
        form = _form_despite(column, name)
    # Only words that commonly mean a missing value are one here: any other cell is named by the error.
    form = replace(form, placeholders=tuple(filter(is_placeholder, form.placeholders)))
    values = apply_form(column, form, name)
    findings = (
        [Finding("time_order_unclear", facts={"column": str(column.name), "format": form.date_format})]
        if learnt.is_order_unclear
        else []
    )
    if form.kind == NUMBER:
        return values.to_numpy(), NUMBER, tuple(findings)
    numbers = values.to_numpy().astype("datetime64[us]").astype(np.int64).astype(np.float64)
    return np.where(values.isna(), np.nan, numbers), DATE, tuple(findings)


def _form_despite(column: pd.Series, name: str) -> Any:
    """The form of most cells, so that the error names the cell that does not have it; raises StudyError if no cell has one."""
    known = column.dropna().astype(str)
    for text in known.iloc[:5]:
        form = learn_form(pd.Series([text], name=column.name), name).form
        if form.kind in (NUMBER, DATE):
            return form
    first = "" if known.empty else f" (row {int(known.index[0]) + 1} holds {known.iloc[0][:40]!r})"
    raise StudyError(
        f"Column {column.name!r} of {name} is to give the time, but holds neither numbers nor dates{first}; "
        "write dates as 2024-01-31, or number the rows in the order of time."
    )
