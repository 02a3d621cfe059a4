"""
Large scores
============

The textbook formula exp(x) / Σ exp(x) fails for large scores (logits), and
log(softmax(x)) fails for sure answers. What goes wrong, and what does not?
"""

# %%
# exp(1000) is infinite, and infinity over infinity is not a number.

import matplotlib.pyplot as plt
import numpy as np

import lastlayer as ll


def textbook(x):
    """As in the textbook."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.exp(x) / np.exp(x).sum()


for scores in ([1.0, 0.5], [1000.0, 999.5], [-1000.0, -1000.5]):
    print(scores)
    print("  textbook ", textbook(np.array(scores)))
    print("  lastlayer", ll.softmax(scores))

# %%
# The loss −log p of a class that is far behind. Probability first and logarithm after
# it gives infinity; ``ll.log_softmax`` takes the difference of the scores.

with np.errstate(divide="ignore"):
    print("log(softmax)  ", -np.log(ll.softmax([0.0, -800.0]))[1])
print("ll.log_softmax", -ll.log_softmax([0.0, -800.0])[1])

# %%
# The other end: a sure and right answer. Its loss is about e^(−d), where d is the lead
# of the true class. In float32 the usual ways round it to 0 from a lead of 17 on, and
# then nothing is learnt from this row. Here is the relative error of three ways.

lead = np.arange(1, 60, dtype=np.float32)
scores = np.stack([np.zeros_like(lead), -lead], axis=1)
truth = np.log1p(np.exp(-lead.astype(np.float64)))
ways = {
    "log(softmax)": (-np.log(ll.softmax(scores)[:, 0]), "#e86110", "--"),
    "log Σ exp(x) − x": (np.log(np.exp(scores).sum(axis=1)), "#2d45df", ":"),
    "ll.log_softmax": (-ll.log_softmax(scores)[:, 0], "#1d2126", "-"),
}
figure, axis = plt.subplots(layout="constrained")
for name, (loss, colour, style) in ways.items():
    error = np.maximum(np.abs(loss - truth) / truth, 1e-9)
    axis.plot(lead, error, style, color=colour, linewidth=2.5, label=name)
axis.text(59, 2, "every digit is lost", ha="right")
axis.set(yscale="log", ylim=(3e-10, 50), xlabel="lead of the true class")
axis.set_ylabel("relative error of the loss")
axis.legend(frameon=False, loc="center right")
plt.show()
