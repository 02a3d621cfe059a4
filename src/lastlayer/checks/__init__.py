"""The contract of every mapping, which users can run on their mappings too: oracles, error measures and checks."""

from lastlayer.checks.check_mapping import CHECKS, check_mapping

__all__ = ["CHECKS", "check_mapping"]
