"""
Attention that ignores
======================

Attention weighs words by a mapping of their scores. Softmax gives every word some
weight, however small. Sparsemax and entmax give exactly zero to the words that are far
behind.
"""

# %%
# Three words of a sentence look at all twelve. The scores are inner products of
# vectors, as in any attention.

import matplotlib.pyplot as plt
import numpy as np

import lastlayer as ll

sentence = "the small cat that I saw on the mat was very quiet"
words = sentence.split()
asking = [2, 8, 11]
random = np.random.default_rng(3)
keys = random.normal(size=(len(words), 8))
queries = keys[asking] + 0.6 * random.normal(size=(3, 8))
scores = queries @ keys.T / np.sqrt(8)

# %%
# The same scores under three mappings. In each of them a row sums to one.

weights = {
    "softmax": ll.softmax(scores),
    "entmax, α = 1.5": ll.entmax(scores),
    "sparsemax": ll.sparsemax(scores),
}
for name, weight in weights.items():
    print(f"{name:<16} words with a weight: {(weight > 0).sum(axis=1)}")

# %%
# White is exactly zero: these words are not read at all, and get no gradient.

figure, axes = plt.subplots(
    3, 1, figsize=(7, 4.6), layout="constrained", sharex=True
)
for axis, (name, weight) in zip(axes, weights.items(), strict=True):
    shown = np.where(weight > 0, weight, np.nan)
    axis.imshow(shown, cmap="Blues", vmin=-0.15, vmax=0.8, aspect="auto")
    axis.set_title(name, loc="left", fontsize=11)
    axis.set_yticks(range(3), [words[i] for i in asking])
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
axes[-1].set_xticks(range(len(words)), words, rotation=40, ha="right")
plt.show()
