"""The usual answer to "why softmax and not the ratio?", claim by claim, each judged on the scores at hand.

Nothing here is canned: every number in an evidence is computed from the scores that reach the mappings.
"""

from lastlayer.comparison.claims.case import Case, sums_to_zero
from lastlayer.comparison.claims.derivatives import LARGE, steps_to_leave
from lastlayer.comparison.claims.judge import Claim, judge
from lastlayer.comparison.claims.sharpness import turning_scale

__all__ = ["LARGE", "Case", "Claim", "judge", "steps_to_leave", "sums_to_zero", "turning_scale"]
