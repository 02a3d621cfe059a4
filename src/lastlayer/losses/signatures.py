"""Functions that take the options of a loss as keywords: their signature and docstring, made from the list of options."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

from lastlayer.losses.options import DEFAULTS, WORDS, LossOptions

Function = TypeVar("Function", bound=Callable[..., Any])

#: The line of a docstring that is replaced by the options.
PLACEHOLDER = "{loss options}"


def with_loss_options(*, without: tuple[str, ...] = (), **renamed: str) -> Callable[[Function], Function]:
    """Show a function's `**options` as the keywords they are, in `inspect.signature` and `help`.

    Args:
        without: options that the function does not take, or lists by itself.
        renamed: option="the function's name for it".
    """
    shown = {renamed.get(name, name): name for name in DEFAULTS if name not in without}

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        given = [p for p in signature.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=DEFAULTS[option],
                annotation=LossOptions.__annotations__[option],
            )
            for name, option in shown.items()
        ]
        function.__signature__ = signature.replace(parameters=[*given, *options])  # type: ignore[attr-defined]
        if function.__doc__ is not None:
            function.__doc__ = _with_words(function.__doc__, shown)
        return function

    return decorate


def _with_words(text: str, shown: dict[str, str]) -> str:
    lines = []
    for line in text.splitlines():
        if line.strip() != PLACEHOLDER:
            lines.append(line)
            continue
        indent = line[: len(line) - len(line.lstrip())]
        for name, option in shown.items():
            lines += textwrap.wrap(
                f"{name}: {WORDS[option]}", 120, initial_indent=indent, subsequent_indent=f"{indent}    "
            )
    return "\n".join(lines)
