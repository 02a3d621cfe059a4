"""Parameters stored in parts and gathered in hooks of each module's forward, as ZeRO stage 3 of DeepSpeed does."""

from __future__ import annotations

import torch
import torch.distributed as dist


class Gathering:
    """Keeps one part of every parameter of a model; a parameter has its data only in its module's forward and backward."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.parts, self.found, self.count = {}, {}, 0
        self.names = {parameter: name for name, parameter in model.named_parameters()}
        for module in model.modules():
            own = list(module.parameters(recurse=False))
            if own:
                module.register_forward_pre_hook(lambda module, args, own=own: self.gather(own))
                module.register_forward_hook(lambda module, args, output, own=own: self.free(own))
                module.register_full_backward_pre_hook(lambda module, gradient, own=own: self.gather(own))
        for parameter in self.names:
            shape, data = parameter.shape, parameter.data.flatten()
            padded = torch.cat([data, data.new_zeros(-len(data) % dist.get_world_size())])
            self.parts[parameter] = shape, padded.chunk(dist.get_world_size())[dist.get_rank()].clone()
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(self.reduce)
        self.free(self.names)

    def gather(self, parameters) -> None:
        for parameter in parameters:
            shape, part = self.parts[parameter]
            pieces = [torch.empty_like(part) for _ in range(dist.get_world_size())]
            dist.all_gather(pieces, part)
            parameter.data = torch.cat(pieces)[: shape.numel()].view(shape)
            self.count += 1

    def free(self, parameters) -> None:
        for parameter in parameters:
            parameter.data = parameter.data.new_empty(0)

    def reduce(self, parameter) -> None:
        gradient = parameter.grad / dist.get_world_size()
        dist.all_reduce(gradient)
        self.found[self.names[parameter]], parameter.grad = gradient, None
        self.free([parameter])

    def gradients(self):
        """The mean gradients of all processes, by name."""
        return self.found
