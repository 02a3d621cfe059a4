"""
A mapping of your own
=====================

A mapping is one record. From it follow the probabilities on every array library, the
loss, the gradients and the tests. Here is one that counts how far a score is from zero,
in either direction: g(x) = e^\\|x\\|.
"""

# %%
# The record: g as a number that cannot overflow (``carry``), g once more in plain
# arithmetic for the tests (``g_oracle``), and the facts.

import matplotlib.pyplot as plt
import numpy as np

import lastlayer as ll
from lastlayer.mappings import Budget, Domain, LinearModel
from lastlayer.mappings.carried import Carried
from lastlayer.mappings.double_double import Pair
from lastlayer.mappings.normalized import normalized


def carry(scores, xp):
    """g = e^|x|: only an exponent. Its slope g′/g is the sign of the score."""
    sign = xp.sign(scores)
    zero = xp.zeros_like(scores)
    return Carried(
        exponent=xp.abs(scores),
        derivative=lambda: Pair(sign, zero),
        slope=lambda: sign,
    )


def record(g):
    """The mapping, with this g for the tests."""
    return normalized(
        name="loud",
        summary="A class counts for being far from zero, in either direction.",
        equation="p_i = exp(|x_i|) / sum_j exp(|x_j|)",
        domain=Domain("every real score"),
        carry=carry,
        g_oracle=g,
        limits_of_g=(float("inf"), float("inf")),
        limits_of_slope=(-1.0, 1.0),
        laws=frozenset({"sums_to_one", "full_support", "permutation_equivariant"}),
        budget=Budget("ulp", float32=2, float64=2),
        linear=LinearModel(),
        limits="one score of ±inf: one-hot; several share equally",
        row_of_minus_inf="limit",
        references=("this example",),
    )


loud = record(lambda score, mp: mp.exp(abs(score)))
print(ll.probabilities([-3.0, 0.0, 2.0], mapping=loud).round(4))

# %%
# Does it keep the contract? Probabilities, logarithms, losses and gradients are compared
# with arbitrary precision, up to scores of 1e308. Nothing is printed if all is well.

ll.check_mapping(loud)

# %%
# A test must be able to fail. With another g for the oracle it says where the two
# disagree.

wrong = record(lambda score, mp: mp.exp(score))
try:
    ll.check_mapping(wrong)
except AssertionError as error:
    print(str(error).replace("got", "\ngot"))

# %%
# The loss and its gradient are there as well.

loss, gradient = ll.loss_and_grad([-3.0, 0.0, 2.0], 2, mapping=loud)
print(f"loss {loss:.4f}, gradient {gradient.round(4)}")

x = np.linspace(-5, 5, 201)
scores = np.stack([x, np.ones_like(x)], axis=1)
figure, axis = plt.subplots(layout="constrained")
axis.plot(x, ll.softmax(scores)[:, 0], "--", color="#1d2126", linewidth=2)
by_loud = ll.probabilities(scores, mapping=loud)[:, 0]
axis.plot(x, by_loud, color="#ae23ac", linewidth=2.5)
axis.text(-4.9, 0.06, "softmax")
axis.text(-4.9, 0.85, "loud", color="#ae23ac")
axis.set(xlabel="x", ylabel="probability", ylim=(0, 1))
axis.set_title("The first class of the scores [x, 1]")
plt.show()
