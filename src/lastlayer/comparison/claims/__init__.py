"""The usual answer to "why softmax and not the ratio?", claim by claim, each judged on the scores at hand.

Nothing here is canned: every number in an evidence is computed from the scores that reach the mappings.
"""

from lastlayer.comparison.claims.judge import Claim, judge
from lastlayer.comparison.claims.sharpness import turning_scale

__all__ = ["Claim", "judge", "turning_scale"]
