"""`--mappings a,b`: a list of names, some with parameters, in any case."""

from __future__ import annotations

import re

from lastlayer.mappings import MAPPINGS


def split_names(text: str) -> list[str]:
    """The names in a comma-separated list; a part such as beta=2 belongs to the name before it.

    >>> split_names("Softmax, entmax:alpha=1.3,mine:alpha=1,beta=2")
    ['softmax', 'entmax:alpha=1.3', 'mine:alpha=1,beta=2']
    """
    names: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        if names and "=" in part and ":" not in part:
            names[-1] = plain_name(f"{names[-1]},{part}")
        elif part:
            names.append(plain_name(part))
    return names


def plain_name(text: str) -> str:
    """The name as its mapping has it, whatever its case and whether a hyphen or a blank is in the underscore's place.

    >>> plain_name("Softmax-Plus-One"), plain_name("ENTMAX:Alpha=1.3"), plain_name("none such")
    ('softmax_plus_one', 'entmax:alpha=1.3', 'none such')
    """
    name, colon, options = text.strip().partition(":")
    known = {_folded(key): key for key in MAPPINGS}
    # The names before the equality signs, in any case as well.
    options = re.sub(r"(?:^|(?<=,))[^=,]*(?==)", lambda found: found[0].strip().lower(), options)
    return known.get(_folded(name), name) + colon + options


def _folded(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")
