"""Torch tensors: native kernels on the CPU, Triton kernels on CUDA, formulas elsewhere; operators carry the derivatives."""
