"""
A head without its scores
=========================

The last layer of a language model has one class per word. The table of its scores (logits) is then the largest array of the whole
training step. ``linear_loss`` computes the same loss and the same gradients block by block, and never stores it.
"""

# %%
# 2048 positions, 64 features, 5000 words. The usual way, then ours: the loss and both gradients are the same.

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from lastlayer.torch import linear_loss

torch.manual_seed(0)
hidden = torch.randn(2048, 64, requires_grad=True)
weight = (torch.randn(5000, 64) / 8).requires_grad_()
labels = torch.randint(5000, (2048,))

loss = F.cross_entropy(F.linear(hidden, weight), labels)
usual = torch.autograd.grad(loss, (hidden, weight))
ours = linear_loss(hidden, weight, labels)
gradients = torch.autograd.grad(ours, (hidden, weight))

print(f"loss {loss:.6f} and {ours:.6f}")
for name, a, b in zip(("hidden", "weight"), usual, gradients, strict=True):
    print(f"gradient of {name}: differs by {(a - b).abs().max() / a.abs().max():.0e} of its largest entry")

# %%
# ``linear_loss.plan`` says what will be allocated, without running anything. For 8192 positions and a growing vocabulary:

words = [4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000]
plans = [linear_loss.plan(8192, 1024, n) for n in words]
print(plans[3])

figure, axis = plt.subplots(layout="constrained")
stored, blocks = ([getattr(plan, name) / 2**30 for plan in plans] for name in ("unfused_bytes", "workspace_bytes"))
axis.plot(words, stored, "D--", color="#e86110", linewidth=2.5)
axis.plot(words, blocks, "o-", color="#1d2126", linewidth=2.5)
axis.text(words[-2], stored[-2] * 1.5, "all scores and their gradient", color="#b34700", ha="right")
axis.text(words[-2], blocks[-2] * 1.5, "linear_loss", color="#1d2126", ha="right")
axis.set(xscale="log", yscale="log", xlabel="words", ylabel="GiB", title="Memory for the scores of 8192 positions")
axis.set_xticks(words, [f"{n // 1000}k" for n in words], minor=False)
axis.minorticks_off()
plt.show()
