"""What makes a split of the data untrustworthy, looked for before anything is fitted."""

from lastlayer.study.suspicions.find import find_suspicions

__all__ = ["find_suspicions"]
