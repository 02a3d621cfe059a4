"""The base of modules with a mapping: its tensors as parameters or buffers, its call as one node of a torch.fx graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.fx

from lastlayer.backends.torch.records import key_of, record_of
from lastlayer.functions.losses import loss, loss_of_any_total
from lastlayer.functions.probabilities import log_probabilities, probabilities
from lastlayer.mappings import ProbabilityMapping
from lastlayer.mappings.resolve import resolve_mapping

Tensor = torch.Tensor


_FUNCTIONS = {function.__name__: function for function in (probabilities, log_probabilities, loss, loss_of_any_total)}


def call_by_key(
    name: str, arguments: tuple[Tensor, ...], key: str, parameter: Tensor | None, options: dict[str, Any]
) -> Any:
    """A function of ours with its mapping named as operators name it: a node that a graph of torch.fx can hold."""
    axis = 1 if arguments[0].ndim > 1 else 0
    options = {"axis": axis, "mapping": record_of(key, parameter), "on_domain": "nan", **options}
    return _FUNCTIONS[name](*arguments, **options)


class MappingModule(torch.nn.Module):
    """A module with a mapping. A tensor among the mapping's parameters becomes a parameter or buffer of the module.

    `Entmax(alpha=torch.nn.Parameter(torch.tensor(1.5)))` learns its α.
    """

    _compute: Callable[..., Any]

    def __init__(self, mapping: str | ProbabilityMapping) -> None:
        super().__init__()
        record = resolve_mapping(mapping)
        tensors = {name: value for name, value in record.values.items() if isinstance(value, Tensor)}
        defaults = {parameter.name: parameter.default for parameter in record.parameters}
        # The module may be moved, copied, or called with other tensors in place of these: it alone holds them.
        self._record = record.replace(**{name: defaults[name] for name in tensors}) if tensors else record
        self._tensors = tuple(tensors)
        for name, value in tensors.items():
            self.hold(name, value)

    def hold(self, name: str, value: Any) -> None:
        """Set an attribute; a tensor moves with the module."""
        if isinstance(value, Tensor) and not isinstance(value, torch.nn.Parameter):
            self.register_buffer(name, value)
        else:
            setattr(self, name, value)

    @property
    def mapping(self) -> ProbabilityMapping:
        """The record, with the tensors that the module holds."""
        if not self._tensors:
            return self._record
        return self._record.replace(**{name: getattr(self, name) for name in self._tensors})

    def record_call(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """The call as one node where torch.fx.symbolic_trace records it: its proxies have no shape yet."""
        tracer = next(argument.tracer for argument in arguments if isinstance(argument, torch.fx.Proxy))
        # A tensor of the module may be a proxy itself here, which no record takes.
        tensor = next((getattr(self, name) for name in self._tensors), None)
        key = key_of(self._record) if tensor is None else self._record.name
        given = (self._compute.__name__, arguments, key, tensor, options)
        return tracer.create_proxy("call_function", call_by_key, given, {})

    def __prepare_scriptable__(self) -> Any:
        raise TypeError(
            f"{type(self).__name__} cannot be scripted: TorchScript does not know operators with records of mappings; "
            "use torch.export, torch.compile or torch.jit.trace."
        )
