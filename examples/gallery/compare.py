"""
Softmax and the ratio
=====================

Two ways to turn the scores [1, 0.5] (logits) into probabilities. Which one is more certain? That depends on how large the scores
are: the ratio sees only proportions, softmax only differences.
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
# Now multiply both scores by a factor. The ratio does not notice. Softmax becomes more certain, and overtakes the ratio where
# the difference of the scores is log 2: at 1.386 times these scores.

factor = np.linspace(0, 4, 200)
crossing = np.log(2) / 0.5
by_softmax = ll.softmax(factor[:, None] * scores)[:, 0]

figure, axes = plt.subplots(1, 2, layout="constrained", sharey=True)
axes[0].plot(factor, by_softmax, color="#1d2126", linewidth=2.5)
axes[0].axhline(2 / 3, color="#e86110", linewidth=2.5)
axes[0].plot(crossing, 2 / 3, "o", color="#1d2126")
axes[0].annotate(f"{crossing:.3f} times", (crossing, 2 / 3), (1.6, 0.57))
axes[0].text(3.9, 0.9, "softmax", color="#1d2126", ha="right")
axes[0].text(3.9, 0.62, "ratio", color="#e86110", ha="right")
axes[0].set(title="multiply the scores", xlabel="factor", ylabel="probability of the first class", ylim=(0.45, 1))

# %%
# Add a constant to both scores instead. Now softmax does not notice, and the ratio goes to one half. Below −0.5 it has no answer.

constant = np.linspace(-2, 4, 241)
by_ratio = ll.ratio(scores + constant[:, None], on_domain="nan")[:, 0]

axes[1].axhline(ll.softmax(scores)[0], color="#1d2126", linewidth=2.5)
axes[1].plot(constant, by_ratio, color="#e86110", linewidth=2.5)
axes[1].axvspan(-2, -0.5, color="#e86110", alpha=0.12, linewidth=0)
axes[1].text(-1.25, 0.9, "no answer", color="#b34700", ha="center")
axes[1].set(title="add a constant", xlabel="constant")
plt.show()

# %%
# ``lastlayer compare 1 0.5`` prints all mappings and judges what people say about them; ``lastlayer explore 1 0.5`` opens a page on
# which the scores can be dragged.
