"""Targets of a teacher that fit in memory: its k likeliest classes per row, or its head, next to the student's blocks."""

from lastlayer.torch.linear.distillation.loss import distillation_loss
from lastlayer.torch.linear.distillation.targets import DistillationTargets, SparseTargets, TeacherTargets

__all__ = ["DistillationTargets", "SparseTargets", "TeacherTargets", "distillation_loss"]
