"""
Temperature
===========

Divide the scores by a temperature before the mapping: below 1 the answer becomes more certain, above 1 less. The order of the
classes stays.
"""

# %%
# Softmax at five temperatures. Every call of lastlayer that takes a loss takes a temperature too.

import matplotlib.pyplot as plt
import numpy as np

import lastlayer as ll

scores = np.array([2.0, 1.0, 0.2, -1.0])
for temperature in (0.25, 0.5, 1, 2, 4):
    print(f"T = {temperature:<4}", ll.softmax(scores / temperature).round(3))

# %%
# From very cold, where the largest score takes everything (that is *hardmax*), to very hot, where all classes are alike.

temperature = np.geomspace(0.05, 30, 200)
p = ll.softmax(scores / temperature[:, None])

figure, axis = plt.subplots(layout="constrained")
for place, (score, colour) in enumerate(zip(scores, ("#1d2126", "#2d45df", "#065d3d", "#7c4801"), strict=True)):
    axis.plot(temperature, p[:, place], color=colour, linewidth=2.5)
    axis.text(
        0.052, p[0, place] + (0.02 if place == 0 else 0.06 * (4 - place) - 0.02), f"score {score:g}", color=colour
    )
axis.axvline(1, color="0.6", linewidth=1)
axis.set(xscale="log", xlabel="temperature", ylabel="probability", ylim=(0, 1.1), title="Softmax, from cold to hot")
plt.show()

# %%
# A temperature can be a number or one number per row, and its effect on the loss (cross-entropy) is a plain function: here is the
# loss of the third class at each temperature. The best one for a whole validation set is found by ``lastlayer evaluate``.

losses = [ll.loss(scores, 2, temperature=t) for t in (0.5, 1.0, 2.0)]
print(np.round(losses, 4))
