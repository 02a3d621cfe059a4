"""The contract that every mapping keeps, runnable on a user's own: oracles, error measures, and the checks themselves."""

from lastlayer.checks.check_mapping import CHECKS, check_mapping

__all__ = ["CHECKS", "check_mapping"]
