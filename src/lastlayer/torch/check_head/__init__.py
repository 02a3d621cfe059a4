"""A conformance suite for linear heads: named cases, each a kind of fault that public heads have had."""

from lastlayer.torch.check_head.cases import CASES, Case
from lastlayer.torch.check_head.check import check_head
from lastlayer.torch.check_head.report import CaseResult, HeadReport

__all__ = ["CASES", "Case", "CaseResult", "HeadReport", "check_head"]
