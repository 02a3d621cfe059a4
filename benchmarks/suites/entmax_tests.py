"""The tests of the entmax package, which are in its wheel."""

from __future__ import annotations

from typing import Any

import torch
from verdict import NotApplicableError, Rule

import lastlayer as ll

NAME = "entmax's tests"
TESTS = ("entmax.test_topk", "entmax.test_losses", "entmax.test_root_finding", "entmax.test_mask")
RULES = (
    Rule("it must be a finite number of at least 1", "difference", "entmax with α below 1"),
    Rule("alpha is 0", "difference", "entmax with α below 1"),
)


def install(counted: Any) -> None:
    """Put lastlayer's sparsemax, entmax and their losses into the package."""
    import entmax
    import entmax.activations
    import entmax.losses
    import entmax.root_finding

    def sparsemax(X: Any, dim: int = -1, k: Any = None, return_support_size: bool = False) -> Any:
        if return_support_size:
            raise NotApplicableError("the size of the support")
        return ll.sparsemax(X, axis=dim)

    def entmax15(X: Any, dim: int = -1, k: Any = None, return_support_size: bool = False) -> Any:
        if return_support_size:
            raise NotApplicableError("the size of the support")
        return ll.entmax(X, axis=dim)

    def sparsemax_bisect(X: Any, dim: int = -1, n_iter: int = 50, ensure_sum_one: bool = True) -> Any:
        return ll.sparsemax(X, axis=dim)

    def entmax_bisect(X: Any, alpha: Any = 1.5, dim: int = -1, n_iter: int = 50, ensure_sum_one: bool = True) -> Any:
        if isinstance(alpha, torch.Tensor):
            alpha = alpha.expand(X.shape).select(dim, 0) if alpha.ndim else alpha
            if not alpha.ndim:
                alpha = alpha.expand(tuple(n for i, n in enumerate(X.shape) if i != dim % X.ndim))
            if bool((alpha < 1).any()):
                raise ValueError("alpha is 0…1; it must be a finite number of at least 1")
        return ll.entmax(X, alpha, axis=dim)

    def loss_of(mapping: Any) -> Any:
        def loss(X: Any, target: Any, *args: Any, **options: Any) -> Any:
            if any(value is not None for value in args) or any(v is not None for v in options.values()):
                record = (
                    ll.resolve_mapping("entmax").replace(alpha=args[0] if args else options["alpha"])
                    if mapping is None
                    else mapping
                )
            else:
                record = ll.resolve_mapping("entmax") if mapping is None else mapping
            return ll.loss(X, target, mapping=record, reduction="none")

        return loss

    replaced = {"sparsemax": sparsemax, "entmax15": entmax15, "sparsemax_bisect": sparsemax_bisect, "entmax_bisect": entmax_bisect,
                "sparsemax_loss": loss_of("sparsemax"), "entmax15_loss": loss_of("entmax"),
                "sparsemax_bisect_loss": loss_of("sparsemax"), "entmax_bisect_loss": loss_of(None)}  # fmt: skip
    for name, function in replaced.items():
        for module in (entmax, entmax.activations, entmax.losses, entmax.root_finding):
            if hasattr(module, name):
                setattr(module, name, counted(function))
    _replace_modules(counted, replaced)


def _replace_modules(counted: Any, functions: dict[str, Any]) -> None:
    """Replace the loss modules, to which the package's tests pass targets, α and reduction."""
    import entmax.losses as losses

    class Loss(torch.nn.Module):
        mapping: Any = "sparsemax"

        def __init__(self, alpha: Any = None, n_iter: Any = None, k: Any = None, ignore_index: int = -100,
                     reduction: str = "elementwise_mean") -> None:  # fmt: skip
            super().__init__()
            self.alpha, self.ignore_index = alpha, ignore_index
            self.reduction = "mean" if reduction == "elementwise_mean" else reduction

        def forward(self, X: Any, target: Any) -> Any:
            record = ll.resolve_mapping(self.mapping)
            if self.alpha is not None and record.name == "entmax":
                record = record.replace(alpha=self.alpha)
            call = counted(ll.loss)
            return call(X, target, mapping=record, ignore_index=self.ignore_index, reduction=self.reduction)

    for name, mapping in (("SparsemaxLoss", "sparsemax"), ("SparsemaxBisectLoss", "sparsemax"), ("Entmax15Loss", "entmax"),
                          ("EntmaxBisectLoss", "entmax")):  # fmt: skip
        if hasattr(losses, name):
            setattr(losses, name, type(name, (Loss,), {"mapping": mapping}))
