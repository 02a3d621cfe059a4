"""Names that columns of keys, and of units in several rows, usually have."""

from __future__ import annotations

import re

_KEY = re.compile(
    r"(?:^|[\W_])(?:ids?|uuid|guid|key|index|idx|row_?(?:names?|numbers?|id|no|nr)|serial|no|nr|unnamed: ?\d+)$"
    r"|^x?$|^\W*$|^__index_level_\d+__$",
    re.IGNORECASE,
)
#: The same in camel case: PassengerId, customerID.
_CAMEL_KEY = re.compile(r"[a-z](?:ID|Id|Key|Index|Uuid|UUID)$")
_UNIT = re.compile(
    r"(?:^|[\W_])(?:patient|subject|participant|person|user|customer|client|session|visitor|household|family|student|child|"
    r"animal|player|device|machine|speaker|author|tail_?num)(?:$|[\W_])",
    re.IGNORECASE,
)
_WHEN = re.compile(r"(?:^|[\W_])(?:date|datetime|timestamp|year|yr|epoch|when)$", re.IGNORECASE)
_CAMEL_WHEN = re.compile(r"[a-z](?:Date|DateTime|Year|Timestamp)$")


def is_key_name(name: str) -> bool:
    """Whether a column is called as keys are.

    >>> [is_key_name(name) for name in ("PassengerId", "patient_id", "rownames", "width", "Unnamed: 0", "paid")]
    [True, True, True, False, True, False]
    """
    return _KEY.search(name) is not None or _CAMEL_KEY.search(name) is not None


def is_unit_name(name: str) -> bool:
    """Whether a column is called as units are that occur in several rows.

    >>> [is_unit_name(name) for name in ("patient", "user_name", "Subject", "users", "age")]
    [True, True, True, False, False]
    """
    return _UNIT.search(name) is not None


def is_time_name(name: str) -> bool:
    """Whether a column of numbers is called as dates are. A *time* is mostly how long something took.

    >>> [is_time_name(name) for name in ("year", "orderDate", "signup_date", "air_time", "update")]
    [True, True, True, False, False]
    """
    return _WHEN.search(name) is not None or _CAMEL_WHEN.search(name) is not None
