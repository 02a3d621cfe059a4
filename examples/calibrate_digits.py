"""Can I trust these probabilities? Two classifiers of handwritten digits: evaluated, calibrated, saved, and applied.

Boosted trees (scikit-learn) and a small network (PyTorch) learn 400 digits. Both are right in about 94 of 100 cases, and both are
too sure of it. One temperature, found on rows that they were not trained on, makes their probabilities better. Every cell between
two `# %%` runs in a notebook too; the whole takes about ten seconds on two cores:

    python examples/calibrate_digits.py
"""

# %% [markdown]
# Three parts: the models are trained on the first, calibrated on the second, and judged on the third.

# %%
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

import lastlayer as ll
from lastlayer.evaluation import evaluate_scores
from lastlayer.sklearn import ScoreCalibrator
from lastlayer.torch import Calibrator

X, y = load_digits(return_X_y=True)
X_train, X_rest, y_train, y_rest = train_test_split(X, y, train_size=400, stratify=y, random_state=0)
X_fit, X_test, y_fit, y_test = train_test_split(X_rest, y_rest, train_size=0.5, stratify=y_rest, random_state=0)
print(f"{len(y_train)} rows to train, {len(y_fit)} to calibrate, {len(y_test)} to judge")

# %% [markdown]
# The boosted trees. `decision_function` gives their scores (logits), one column per digit.

# %%
trees = HistGradientBoostingClassifier(max_iter=30, learning_rate=0.5, random_state=0).fit(X_train, y_train)

# %% [markdown]
# The network. It is trained until it makes no mistake on its training rows, as networks often are.

# %%
torch.manual_seed(0)
network = torch.nn.Sequential(
    torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)
)
optimiser = torch.optim.Adam(network.parameters(), lr=0.03)
pixels, labels = torch.tensor(X_train, dtype=torch.float32) / 16, torch.tensor(y_train)
for _ in range(300):
    optimiser.zero_grad()
    torch.nn.functional.cross_entropy(network(pixels), labels).backward()
    optimiser.step()


def network_scores(features: np.ndarray) -> np.ndarray:
    """The network's scores of rows of pixels."""
    with torch.no_grad():
        return network(torch.tensor(features, dtype=torch.float32) / 16).numpy()


# %% [markdown]
# The scores and labels go into files. From here on nothing needs the models: `lastlayer evaluate trees.npz` reads the same file.

# %%
folder = Path("digits-scores")
folder.mkdir(exist_ok=True)
scores = {
    "trees": (trees.decision_function(X_fit), trees.decision_function(X_test)),
    "network": (network_scores(X_fit), network_scores(X_test)),
}
for name, (for_fit, for_test) in scores.items():
    np.savez(folder / f"{name}.npz", scores=for_fit, labels=y_fit)
    np.savez(folder / f"{name}-test.npz", scores=for_test, labels=y_test)

# %% [markdown]
# Is the model calibrated, and which map helps? Each map is fitted to four fifths of the rows and judged on the last fifth, in turn.

# %%
results = {name: evaluate_scores(folder / f"{name}.npz") for name in scores}
for result in results.values():
    print(result, end="\n\n")

# %% [markdown]
# The advised map goes into a small text file.

# %%
for name, result in results.items():
    path = result.calibrator.write(folder / f"{name}.json")
    print(f"{path}: {result.calibrator.name}, temperature {result.calibrator.temperature:.2f}")

# %% [markdown]
# It is applied in three ways. First, one line of NumPy that needs no lastlayer.

# %%
line = results["trees"].calibrator.numpy_code
print(line)
names = {"np": np, "scores": scores["trees"][1]}
exec(line, names)
by_numpy = names["probabilities"]

# %% [markdown]
# Second, as a scikit-learn classifier around the fitted trees, from the file.

# %%
model = ScoreCalibrator.from_file(folder / "trees.json", estimator=trees)
by_classifier = model.predict_proba(X_test)
print(f"NumPy and scikit-learn differ by {np.abs(by_numpy - by_classifier).max():.0e} at most")

# %% [markdown]
# Third, as a module around the network. `calibrated` is a network like any other: it is moved, compiled and exported.

# %%
calibrated = Calibrator.from_file(network, folder / "network.json")
print(calibrated)
with torch.no_grad():
    by_module = calibrated(torch.tensor(X_test, dtype=torch.float32) / 16).numpy()

# %% [markdown]
# The log loss on the third part, on which neither the models nor the maps were fitted.


# %%
def log_loss(p: np.ndarray) -> float:
    """The mean of −log p of the true digit."""
    return float(-np.log(p[np.arange(len(y_test)), y_test]).mean())


after = {"trees": by_classifier, "network": by_module}
print(f"{'log loss':<10}{'before':>8}{'after':>8}{'accuracy':>10}")
for name, (_, for_test) in scores.items():
    right = np.mean(for_test.argmax(axis=1) == y_test)
    print(f"{name:<10}{log_loss(ll.softmax(for_test)):>8.3f}{log_loss(after[name]):>8.3f}{right:>10.3f}")

# %% [markdown]
# The same with intervals: maps fitted to the second part, judged on the third.

# %%
judged = evaluate_scores(folder / "trees-test.npz", fit=folder / "trees.npz", maps=["temperature"])
gain = judged.map("temperature").difference
print(f"trees: a temperature changes the log loss by {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})")
