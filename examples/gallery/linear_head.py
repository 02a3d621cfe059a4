"""
A head without its scores
=========================

The last layer of a language model has one class per word. The table of its scores
(logits) is then the largest array of the whole training step. ``linear_loss`` computes
the same loss and the same gradients block by block, and never stores it.
"""

# %%
# 2048 positions, 64 features, 5000 words. The usual way, then this one: the loss and
# both gradients are the same.

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from lastlayer.torch import linear_loss

torch.manual_seed(0)
hidden = torch.randn(2048, 64, requires_grad=True)
weight = (torch.randn(5000, 64) / 8).requires_grad_()
labels = torch.randint(5000, (2048,))

usual = F.cross_entropy(F.linear(hidden, weight), labels)
ours = linear_loss(hidden, weight, labels)
print(f"loss {usual:.5f} and {ours:.5f}")

pairs = zip(
    torch.autograd.grad(usual, (hidden, weight)),
    torch.autograd.grad(ours, (hidden, weight)),
    strict=True,
)
for a, b in pairs:
    difference = (a - b).abs().max() / a.abs().max()
    print(f"gradients of shape {tuple(a.shape)} differ by at most {difference:.0e}")

# %%
# ``linear_loss.plan`` says what will be allocated, without running anything. For 8192
# positions and a growing vocabulary:

words = [4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000]
plans = [linear_loss.plan(8192, 1024, n) for n in words]
stored = [plan.unfused_bytes / 2**30 for plan in plans]
blocks = [plan.workspace_bytes / 2**30 for plan in plans]

figure, axis = plt.subplots(layout="constrained")
axis.plot(words, stored, "D--", color="#e86110", linewidth=2.5)
axis.plot(words, blocks, "o-", color="#1d2126", linewidth=2.5)
axis.text(1e5, 10, "all scores and their gradient", color="#b34700", ha="right")
axis.text(1e5, 0.2, "linear_loss", ha="right")
axis.set(xscale="log", yscale="log", xlabel="words", ylabel="GiB")
axis.set_title("Memory for the scores of 8192 positions")
axis.set_xticks(words, [f"{n // 1000} 000" for n in words])
axis.minorticks_off()
plt.show()
