"""
Softmax and the ratio
=====================

Two ways to turn the scores [1, 0.5] (logits) into probabilities. Which one is more
certain? That depends on how large the scores are: the ratio sees only proportions,
softmax only differences.
"""

# %%
# At [1, 0.5] the ratio gives the larger probability to the first class.

import matplotlib.pyplot as plt
import numpy as np

import lastlayer as ll

scores = np.array([1.0, 0.5])
print("softmax", ll.softmax(scores).round(4))
print("ratio  ", ll.ratio(scores).round(4))

# %%
# Multiply both scores by a factor: the ratio does not notice. Softmax becomes more
# certain, and overtakes the ratio where the scores differ by log 2. That is at 1.386
# times these scores.

factor = np.linspace(0, 4, 200)
by_softmax = ll.softmax(factor[:, None] * scores)[:, 0]
crossing = np.log(2) / 0.5

figure, axis = plt.subplots(layout="constrained")
axis.plot(factor, by_softmax, color="#1d2126", linewidth=2.5)
axis.axhline(ll.ratio(scores)[0], color="#e86110", linewidth=2.5)
axis.plot(crossing, 2 / 3, "o", color="#1d2126")
axis.text(crossing + 0.08, 0.635, f"at {crossing:.3f} times")
axis.text(3.9, 0.8, "softmax", ha="right")
axis.text(3.9, 0.68, "ratio", color="#b34700", ha="right")
axis.set(title="Multiply the scores", xlabel="factor", ylim=(0.45, 1))
axis.set_ylabel("probability of the first class")
plt.show()

# %%
# Add a constant to both scores: now softmax does not notice. The ratio goes to one
# half, and below −0.5, where a score is negative, it has no answer.

constant = np.linspace(-2, 4, 241)
by_ratio = ll.ratio(scores + constant[:, None], on_domain="nan")[:, 0]

figure, axis = plt.subplots(layout="constrained")
axis.axhline(ll.softmax(scores)[0], color="#1d2126", linewidth=2.5)
axis.plot(constant, by_ratio, color="#e86110", linewidth=2.5)
axis.axvspan(-2, -0.5, color="#e86110", alpha=0.12, linewidth=0)
axis.text(-1.25, 0.8, "no answer", color="#b34700", ha="center")
axis.text(3.9, 0.635, "softmax", ha="right")
axis.text(3.9, 0.47, "ratio", color="#b34700", ha="right")
axis.set(title="Add a constant", xlabel="constant", xlim=(-2, 4), ylim=(0.45, 1.02))
axis.set_ylabel("probability of the first class")
plt.show()

# %%
# ``lastlayer compare 1 0.5`` prints all mappings and judges what people say about
# them; ``lastlayer explore 1 0.5`` opens a page on which the scores can be dragged.
