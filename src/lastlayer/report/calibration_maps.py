"""The words for the calibration maps of an evaluation."""

from __future__ import annotations

from contextlib import suppress

from lastlayer.words.names import shorten
from lastlayer.words.numbers import short
from lastlayer.words.printable import clean

#: The map that changes nothing.
NONE = "none"
#: The name of a map → its name in a sentence.
_NAMES = {
    NONE: "the model as it is",
    "temperature": "temperature scaling",
    "temperature_prior": "temperature scaling with a class prior",
    "vector": "vector scaling",
    "matrix": "matrix scaling",
}
#: The same for a table or a figure, in at most 16 characters.
_LABELS = {
    NONE: "none",
    "temperature": "temperature",
    "temperature_prior": "temp. and prior",
    "vector": "vector scaling",
    "matrix": "matrix scaling",
}


def map_name(name: str) -> str:
    """The name of a map in a sentence; one that replaces the model's mapping is called after its mapping.

    >>> map_name("vector"), map_name("mymapping")
    ('vector scaling', 'mymapping with a temperature')
    """
    return _NAMES.get(name) or f"{shorten(clean(name), 60)} with a temperature"


def map_label(name: str, mapping: str = "") -> str:
    """The name of a map in a table; of one that replaces the mapping, the mapping with its parameters.

    >>> map_label("temperature_prior"), map_label("mymapping", "mymapping:alpha=1.31234")
    ('temp. and prior', 'mymapping, alpha = 1.312')
    """
    return _LABELS.get(name) or mapping_label(mapping or name)


def mapping_label(mapping: str) -> str:
    """A mapping with its parameters, for a reader.

    >>> mapping_label("softmax"), mapping_label("mymapping:alpha=1.25,beta=2")
    ('softmax', 'mymapping, alpha = 1.25, beta = 2')
    """
    name, _, options = mapping.partition(":")
    parts = [name]
    for option in filter(None, options.split(",")):
        key, _, text = option.partition("=")
        # A parameter of a mapping of the user's that is no number is shown as it is.
        with suppress(ValueError):
            text = short(float(text))
        parts.append(f"{key} = {text}")
    return shorten(clean(", ".join(parts)), 60)
