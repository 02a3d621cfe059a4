"""
Label smoothing
===============

With plain labels the loss (cross-entropy) falls for ever as the true class gets ahead, so the scores of a network grow for ever. With
label smoothing a little of the target goes to all classes, and there is a lead at which the loss is smallest.
"""

# %%
# The loss of a row of ten classes whose true class leads all others by d.

import matplotlib.pyplot as plt
import numpy as np

import lastlayer as ll

classes = 10
lead = np.linspace(-2, 12, 281)
scores = np.zeros((len(lead), classes))
scores[:, 0] = lead
labels = np.zeros(len(lead), dtype=int)

figure, axes = plt.subplots(1, 2, layout="constrained")
for smoothing, colour, style in ((0.0, "#1d2126", "-"), (0.05, "#2d45df", "--"), (0.2, "#ae23ac", "-.")):
    losses = ll.loss(scores, labels, label_smoothing=smoothing, reduction="none")
    _, gradient = ll.loss_and_grad(scores, labels, label_smoothing=smoothing, reduction="none")
    axes[0].plot(lead, losses, style, color=colour, linewidth=2.5, label=f"smoothing {smoothing:g}")
    axes[1].plot(lead, gradient[:, 0], style, color=colour, linewidth=2.5)
    print(f"smoothing {smoothing:<4g} the loss is smallest at a lead of {lead[losses.argmin()]:.2f}")
axes[0].set(title="loss", xlabel="lead of the true class", ylim=(0, 4.5))
axes[0].legend(frameon=False)
axes[1].axhline(0, color="0.7", linewidth=1)
axes[1].set(title="slope at the true class: p − y", xlabel="lead of the true class")
plt.show()

# %%
# Where the slope is zero, p is the smoothed target: 1 − s + s/10 for the true class. The last lead is where that happens.

for smoothing in (0.05, 0.2):
    target = 1 - smoothing + smoothing / classes
    print(f"smoothing {smoothing:<4g} target {target:.3f}, lead {np.log(target / (smoothing / classes)):.2f}")
