"""Errors of the library speak of its parameters; whoever typed a command knows options."""

from __future__ import annotations

import re

#: A parameter of `evaluate_scores` → its option.
OPTIONS = {
    "labels": "--labels",
    "target": "--target",
    "kind": "--as",
    "mapping": "--mapping",
    "groups": "--groups",
    "fit": "--fit",
    "fit_labels": "--fit-labels",
    "folds": "--folds",
    "seed": "--seed",
    "maps": "--maps",
    "key": "--key",
    "labels_key": "--labels-key",
    "class_names": "--classes",
}
#: Most names are words of English, too, so that only these uses of them are parameters: `key (--key)`, `mapping='sparsemax'`, a
#: sentence that begins with `folds is`, and a name that no sentence has.
_WITH_OPTION = re.compile(rf"(?<![\w'’-])({'|'.join(OPTIONS)}) \((--[a-z-]+)\)")
_WITH_VALUE = re.compile(rf"(?<![\w'’-])({'|'.join(OPTIONS)})='([^']*)'")
_FIRST = re.compile(rf"^({'|'.join(OPTIONS)})(?= is )")
_UNDERSCORED = re.compile(rf"(?<![\w'’/.-])({'|'.join(name for name in OPTIONS if '_' in name)})(?![\w'’/.-])")


def with_options(message: str) -> str:
    """The message with options in the place of parameters.

    >>> with_options("folds is 1; give a whole number from 2 to 100.")
    '--folds is 1; give a whole number from 2 to 100.'
    >>> with_options("Say with key (--key) which, or leave out mapping='entmax'; class_names has 3 names.")
    'Say with --key which, or leave out --mapping entmax; --classes has 3 names.'
    >>> with_options("There are 2 groups for 5 folds; 'class_names' is a column.")
    "There are 2 groups for 5 folds; 'class_names' is a column."
    """
    message = _WITH_OPTION.sub(lambda found: found[2] if OPTIONS[found[1]] == found[2] else found[0], message)
    message = _WITH_VALUE.sub(lambda found: f"{OPTIONS[found[1]]} {found[2]}", message)
    for pattern in (_FIRST, _UNDERSCORED):
        message = pattern.sub(lambda found: OPTIONS[found[1]], message)
    return message
