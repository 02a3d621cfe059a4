"""The z-loss λ·Z² of every loss: its value, and the factor of p in its gradient. Z is the log-partition, dZ/dx = p."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def z_loss_slope(z, z_weight, z_scale):
    """2 λ Z times the row's weight: the gradient of the z-loss is this times p. Zero for rows without weight, even if Z is infinite."""
    return tl.where(z_weight == 0.0, 0.0, 2.0 * z_scale * z * z_weight)


@triton.jit
def add_z_loss(loss, z, z_weight, z_scale):
    """loss + weight·λ·Z²; rows without weight keep their loss, even if Z is infinite."""
    return loss + tl.where(z_weight == 0.0, 0.0, z_weight * z_scale * z * z)
