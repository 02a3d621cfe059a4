"""`--mappings a,b`: a list of names, some with parameters."""

from __future__ import annotations


def split_names(text: str) -> list[str]:
    """The names in a comma-separated list; a part such as beta=2 belongs to the name before it.

    >>> split_names("softmax, entmax:alpha=1.3,mine:alpha=1,beta=2")
    ['softmax', 'entmax:alpha=1.3', 'mine:alpha=1,beta=2']
    """
    names: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        if names and "=" in part and ":" not in part:
            names[-1] += f",{part}"
        elif part:
            names.append(part)
    return names
