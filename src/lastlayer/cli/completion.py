"""What a shell completes the values of options with."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from lastlayer.mappings import MAPPINGS

#: As `click` wants it.
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
#: The data sets that `lastlayer study` has without a file. Named here, since their module needs scikit-learn.
DATASETS = ("digits", "iris", "wine", "breast_cancer")
#: The maps of `lastlayer evaluate` that are no mappings.
MAPS = ("none", "temperature", "temperature_prior", "vector", "matrix")


def complete_mapping(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The mappings that the name may become, with what each is in one sentence."""
    if ":" in incomplete:
        return _complete_parameter(incomplete)
    return [
        CompletionItem(name, help=record.summary)
        for name, record in MAPPINGS.items()
        if name.startswith(incomplete.lower())
    ]


def _complete_parameter(incomplete: str) -> list[CompletionItem]:
    """entmax:alpha= after entmax: or entmax:al."""
    name, _, option = incomplete.partition(":")
    record = MAPPINGS.get(name.lower())
    return [
        CompletionItem(f"{name}:{parameter.name}=", help=parameter.meaning)
        for parameter in (record.parameters if record else ())
        if parameter.name.startswith(option.lower())
    ]


def complete_mappings_or_all(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The same, and the word for all of them."""
    every = [CompletionItem("all", help="every mapping")] if "all".startswith(incomplete.lower()) else []
    return every + complete_mappings(ctx, param, incomplete)


def complete_mappings(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The same for the last name of a comma-separated list."""
    return _last_of_list(incomplete, lambda last: complete_mapping(ctx, param, last))


def complete_dataset(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The data sets that need no file; and files."""
    names = [CompletionItem(name) for name in DATASETS if name.startswith(incomplete)]
    return names or [CompletionItem(incomplete, type="file")]


def complete_list(names: Iterable[str]) -> Completer:
    """Completes a comma-separated list of some of these names."""
    known = tuple(names)

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return _last_of_list(incomplete, lambda last: [CompletionItem(n) for n in known if n.startswith(last)])

    return complete


def _last_of_list(incomplete: str, complete: Callable[[str], list[CompletionItem]]) -> list[CompletionItem]:
    """A name that is in the list already is not offered again."""
    before, comma, last = incomplete.rpartition(",")
    there = {name.partition(":")[0] for name in before.split(",")}
    return [
        CompletionItem(f"{before}{comma}{item.value}", help=item.help)
        for item in complete(last)
        if item.value not in there
    ]
