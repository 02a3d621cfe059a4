"""
Attention that ignores
======================

Attention weighs words by a mapping of their scores. Softmax gives every word some weight, however small. Sparsemax and entmax give
exactly zero to the words that are far behind.
"""

# %%
# One query looks at twelve words. Their scores are the inner products of vectors, as in any attention.

import matplotlib.pyplot as plt
import numpy as np

import lastlayer as ll

random = np.random.default_rng(3)
words = ["the", "small", "cat", "that", "I", "saw", "on", "the", "mat", "was", "very", "quiet"]
keys = random.normal(size=(len(words), 8))
queries = keys[[2, 8, 11]] + 0.6 * random.normal(size=(3, 8))
scores = queries @ keys.T / np.sqrt(8)

# %%
# The same scores under three mappings. Rows sum to one in each.

weights = {
    "softmax": ll.softmax(scores),
    "entmax, α = 1.5": ll.entmax(scores),
    "sparsemax": ll.sparsemax(scores),
}
for name, weight in weights.items():
    print(f"{name:<16} words with a weight above zero: {(weight > 0).sum(axis=1)}")

# %%
# White is exactly zero: these words are not read at all, and get no gradient.

figure, axes = plt.subplots(3, 1, figsize=(7, 4.6), layout="constrained", sharex=True)
for axis, (name, weight) in zip(axes, weights.items(), strict=True):
    axis.imshow(np.where(weight > 0, weight, np.nan), cmap="Blues", vmin=-0.15, vmax=0.8, aspect="auto")
    axis.set_title(name, loc="left", fontsize=11)
    axis.set_yticks(range(3), [words[i] for i in (2, 8, 11)])
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
axes[-1].set_xticks(range(len(words)), words, rotation=40, ha="right")
plt.show()
