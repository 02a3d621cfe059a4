"""PyTorch: gradients of every mapping and loss through autograd. Loaded when a torch tensor first comes in."""

from lastlayer.dispatch import register
from lastlayer.torch.autograd import AUTOGRAD
from lastlayer.torch.cpu import CPU

register(CPU)
register(AUTOGRAD)

__all__ = ["AUTOGRAD", "CPU"]
