"""A call as JAX sees it: the fixed part (mapping, options), and the arrays that it may trace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lastlayer.arguments import is_array
from lastlayer.losses import LossOptions
from lastlayer.mappings import ProbabilityMapping

Array = Any


def split_mapping(mapping: ProbabilityMapping) -> tuple[ProbabilityMapping, Array | None]:
    """A record without arrays, and its parameter with one value per row, or None."""
    for name, value in mapping.values.items():
        if is_array(value):
            default = next(parameter.default for parameter in mapping.parameters if parameter.name == name)
            return mapping.replace(**{name: default}), value
    return mapping, None


def with_parameter(mapping: ProbabilityMapping, parameter: Array | None) -> ProbabilityMapping:
    """The record with its parameter of one value per row put back."""
    if parameter is None:
        return mapping
    return mapping.replace(**{next(p.name for p in mapping.parameters if p.per_row): parameter})


@dataclass(frozen=True, eq=False)
class LossCall:
    """The fixed part of a loss: everything but the scores and the other arrays."""

    mapping: ProbabilityMapping
    is_soft: bool
    options: LossOptions

    @classmethod
    def split(
        cls, mapping: ProbabilityMapping, targets: Array, is_soft: bool, options: LossOptions
    ) -> tuple[LossCall, dict[str, Array | None]]:
        """A call and its arrays by name: targets, weight, sample_weight, and the mapping's parameter with one value per row."""
        record, parameter = split_mapping(mapping)
        arrays = {
            "targets": targets,
            "weight": options.weight,
            "sample_weight": options.sample_weight,
            "parameter": parameter,
        }
        return cls(record, is_soft, replace(options, weight=None, sample_weight=None)), arrays

    def join(self, arrays: dict[str, Array | None]) -> tuple[ProbabilityMapping, Array, bool, LossOptions]:
        """Mapping, targets, whether they are soft, and options with the arrays put back."""
        options = replace(self.options, weight=arrays["weight"], sample_weight=arrays["sample_weight"])
        return with_parameter(self.mapping, arrays["parameter"]), arrays["targets"], self.is_soft, options
