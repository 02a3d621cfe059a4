"""
Label smoothing
===============

With plain labels the loss (cross-entropy) keeps falling as the true class gets ahead,
so the scores of a network keep growing. With label smoothing a little of the target
goes to all classes, and there is a lead at which the loss is smallest.
"""

# %%
# The loss of a row of ten classes whose true class leads all others.

import matplotlib.pyplot as plt
import numpy as np

import lastlayer as ll

classes = 10
lead = np.linspace(-2, 12, 281)
scores = np.zeros((len(lead), classes))
scores[:, 0] = lead
labels = np.zeros(len(lead), dtype=int)

styles = {0.0: ("#1d2126", "-"), 0.05: ("#2d45df", "--"), 0.2: ("#ae23ac", "-.")}
figure, axes = plt.subplots(1, 2, layout="constrained")
for smoothing, (colour, style) in styles.items():
    losses, gradient = ll.loss_and_grad(
        scores, labels, label_smoothing=smoothing, reduction="none"
    )
    name = f"smoothing {smoothing:g}"
    axes[0].plot(lead, losses, style, color=colour, linewidth=2.5, label=name)
    axes[1].plot(lead, gradient[:, 0], style, color=colour, linewidth=2.5)
axes[0].set(title="loss", xlabel="lead of the true class", ylim=(0, 4.5))
axes[0].legend(frameon=False)
axes[1].axhline(0, color="0.7", linewidth=1)
axes[1].set(title="slope at the true class", xlabel="lead of the true class")
plt.show()

# %%
# The slope is the probability minus the smoothed target, 1 − s + s/10. It is zero where
# the two are equal: at that lead the row is content.

for smoothing in (0.05, 0.2):
    rest = smoothing / classes
    target = 1 - smoothing + rest
    best = np.log(target / rest)
    p = ll.softmax([best] + [0.0] * (classes - 1))[0]
    print(
        f"smoothing {smoothing:<4} target {target:.3f}, lead {best:.2f}, p {p:.3f}"
    )
