"""Mappings turn scores into probabilities. One file per mapping; only this list names them all."""

from lastlayer.mappings.entmax import ENTMAX
from lastlayer.mappings.hardmax import HARDMAX
from lastlayer.mappings.pickling import register_built_in
from lastlayer.mappings.ratio import RATIO
from lastlayer.mappings.record import (
    LAWS,
    Budget,
    Domain,
    LinearModel,
    Parameter,
    Point,
    ProbabilityMapping,
)
from lastlayer.mappings.sigmoid_ratio import SIGMOID_RATIO
from lastlayer.mappings.softmax import SOFTMAX
from lastlayer.mappings.softmax_plus_one import SOFTMAX_PLUS_ONE
from lastlayer.mappings.softplus_ratio import SOFTPLUS_RATIO
from lastlayer.mappings.sparsemax import SPARSEMAX
from lastlayer.mappings.spherical import SPHERICAL
from lastlayer.mappings.stablemax import STABLEMAX
from lastlayer.mappings.taylor import TAYLOR

MAPPINGS: dict[str, ProbabilityMapping] = {
    mapping.name: mapping
    for mapping in (
        SOFTMAX,
        RATIO,
        SPHERICAL,
        TAYLOR,
        SOFTPLUS_RATIO,
        SIGMOID_RATIO,
        STABLEMAX,
        SOFTMAX_PLUS_ONE,
        HARDMAX,
        SPARSEMAX,
        ENTMAX,
    )
}
register_built_in(MAPPINGS)

__all__ = ["LAWS", "MAPPINGS", "Budget", "Domain", "LinearModel", "Parameter", "Point", "ProbabilityMapping"]
