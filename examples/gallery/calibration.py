"""
Too sure, and how to mend it
============================

A small network that has learnt its training rows by heart is too sure of its answers on
new ones. ``evaluate_scores`` says so, and finds the simplest map that mends it.
"""

# %%
# A network learns 200 handwritten digits until it makes no mistake on them.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from lastlayer.evaluation import evaluate_scores

X, y = load_digits(return_X_y=True)
X_train, X_new, y_train, y_new = train_test_split(
    X, y, train_size=200, stratify=y, random_state=0
)
network = MLPClassifier(
    (64, 64),
    alpha=0,
    learning_rate_init=0.01,
    tol=1e-6,
    max_iter=2000,
    random_state=0,
)
network.fit(X_train, y_train)
print(f"right on {network.score(X_train, y_train):.0%} of the rows that it knows")
print(f"right on {network.score(X_new, y_new):.0%} of new rows")

# %%
# Its probabilities on the new rows, judged. It is overconfident, and a temperature
# helps: the arrow marks the advised map. Each map is judged on rows that it was not
# fitted to.

result = evaluate_scores(network.predict_proba(X_new), y_new, maps=["temperature"])
print(result)

# %%
# How often is the network right when it says 90 %? On the diagonal it would be as right
# as it is sure.

figure, axis = plt.subplots(figsize=(5, 4.4), layout="constrained")
axis.plot([0.3, 1], [0.3, 1], color="0.7", linewidth=1)
for bins, name, colour, style in (
    (result.reliability, "as it is", "#e86110", "D-"),
    (result.reliability_after, "after the map", "#1d2126", "o-"),
):
    sure = [each["confidence"] for each in bins]
    right = [each["accuracy"] for each in bins]
    axis.plot(sure, right, style, color=colour, label=name)
axis.set(xlabel="how sure", ylabel="how often right", title="The top class")
axis.legend(frameon=False)
plt.show()

# %%
# The map is one number, and a line of NumPy applies it.

print(f"temperature {result.calibrator.temperature:.2f}")
print(result.calibrator.numpy_code.replace("; ", "\n"))
