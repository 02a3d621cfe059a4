"""Triton kernels for CUDA on raw tensors: softmax, sparsemax and 1.5-entmax by rows, their losses and gradients. See README.md."""

from lastlayer.kernels.triton.evaluate import evaluate
from lastlayer.kernels.triton.loss import loss
from lastlayer.kernels.triton.serves import serves
from lastlayer.kernels.triton.softmax_rows import row_slopes, row_sums
from lastlayer.kernels.triton.sums import add, scale_in_place, stack

__all__ = ["add", "evaluate", "loss", "row_slopes", "row_sums", "scale_in_place", "serves", "stack"]
