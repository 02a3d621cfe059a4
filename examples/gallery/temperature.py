"""
Temperature
===========

Divide the scores (logits) by a temperature before the mapping: below 1 the answer
becomes more certain, above 1 less. The order of the classes stays.
"""

# %%
# Softmax at five temperatures.

import matplotlib.pyplot as plt
import numpy as np

import lastlayer as ll

scores = np.array([2.0, 1.0, 0.2, -1.0])
for temperature in (0.25, 0.5, 1, 2, 4):
    print(f"T = {temperature:<4}", ll.softmax(scores / temperature).round(3))

# %%
# From very cold, where the largest score takes everything (that is *hardmax*), to very
# hot, where all classes are alike.

temperature = np.geomspace(0.05, 30, 200)
p = ll.softmax(scores / temperature[:, None])

figure, axis = plt.subplots(layout="constrained")
colours = ("#1d2126", "#2d45df", "#065d3d", "#7c4801")
for score, colour, curve in zip(scores, colours, p.T, strict=True):
    name = f"score {score:g}"
    axis.plot(temperature, curve, color=colour, linewidth=2.5, label=name)
axis.legend(frameon=False)
axis.axvline(1, color="0.7", linewidth=1, zorder=0)
axis.set(xscale="log", ylim=(0, 1.05), title="Softmax, from cold to hot")
axis.set(xlabel="temperature", ylabel="probability")
plt.show()

# %%
# Every call with a loss (cross-entropy) takes a temperature too. Here is the loss if
# the third class is the true one. ``lastlayer evaluate`` finds the best temperature for
# the scores of a trained model.

for t in (0.5, 1.0, 2.0):
    print(f"T = {t:<4} loss {ll.loss(scores, 2, temperature=t):.4f}")
