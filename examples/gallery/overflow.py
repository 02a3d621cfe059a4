"""
Large scores
============

The textbook formula exp(x) / Σ exp(x) fails for large scores, and log(softmax(x)) fails for sure answers. What goes wrong, and how far
from the truth are the usual remedies?
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
    print(f"{scores!s:<18} textbook {textbook(np.array(scores))}, lastlayer {ll.softmax(scores)}")

# %%
# The loss −log p of a class that is far behind. Probability first and logarithm after it gives infinity; ``ll.log_softmax`` takes the
# difference of the scores.

with np.errstate(divide="ignore"):
    print("log(softmax)   ", -np.log(ll.softmax([0.0, -800.0]))[1])
print("ll.log_softmax ", -ll.log_softmax([0.0, -800.0])[1])

# %%
# The other end: a sure and right answer. Its loss is about e^(−d), where d is the lead of the true class. In float32 the plain way
# rounds it to 0 from a lead of 17 on, and then nothing is learnt from this row. Here is the relative error of three ways.

lead = np.arange(1, 60, dtype=np.float32)
scores = np.stack([np.zeros_like(lead), -lead], axis=1)
truth = np.log1p(np.exp(-lead.astype(np.float64)))
shifted = scores - scores.max(axis=1, keepdims=True)
ways = {
    "log(softmax)": (-np.log(ll.softmax(scores))[:, 0], "#e86110", "--"),
    "x − log Σ exp": (np.log(np.exp(shifted).sum(axis=1)) - shifted[:, 0], "#2d45df", ":"),
    "ll.log_softmax": (-ll.log_softmax(scores)[:, 0], "#1d2126", "-"),
}
figure, axis = plt.subplots(layout="constrained")
for name, (loss, colour, style) in ways.items():
    error = np.maximum(np.abs(loss - truth) / truth, 1e-9)
    axis.plot(lead, error, style, color=colour, linewidth=2.5, label=name)
axis.axhline(1, color="0.7", linewidth=1)
axis.text(59, 1.4, "all digits lost", ha="right", color="0.4")
axis.set(yscale="log", ylim=(3e-10, 20), xlabel="lead of the true class", ylabel="relative error of the loss")
axis.legend(frameon=False, loc="center right")
plt.show()
