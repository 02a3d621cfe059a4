"""From files, arrays and tables to the scores and the labels of the rows that count."""

from lastlayer.evaluation.read.inputs import Inputs, read_inputs

__all__ = ["Inputs", "read_inputs"]
