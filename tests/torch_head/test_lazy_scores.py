"""What may be done to scores that are not stored, and what it means."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lastlayer.torch.lazy_scores import LazyScores

GENERATOR = torch.Generator().manual_seed(0)
INPUT, WEIGHT, BIAS = (
    torch.randn(*shape, generator=GENERATOR, dtype=torch.float64) for shape in ((6, 4), (9, 4), (9,))
)
LABELS = torch.arange(6)


def unstored():
    return LazyScores.product(INPUT, WEIGHT, BIAS)


@pytest.mark.parametrize(
    "steps",
    [
        lambda z: z,
        lambda z: z * 0.3,
        lambda z: 3 * z / 2,
        lambda z: torch.tanh(z / 1.5) * 1.5,
        lambda z: 0.5 * (z * 2).tanh().contiguous().float(),
        lambda z: 5 * F.tanh(z),
    ],
)
def test_means_what_it_means_for_scores(steps):
    scores = steps(F.linear(INPUT, WEIGHT, BIAS)).double()
    got = steps(unstored()).loss(LABELS, temperature=0.7)
    torch.testing.assert_close(got, F.cross_entropy(scores / 0.7, LABELS), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "step",
    [
        lambda z: z * 0.0,
        lambda z: z * -1.0,
        lambda z: z / torch.tensor(2.0),
        lambda z: z * "2",
        lambda z: torch.tanh(z) + 1.0,
        lambda z: BIAS + z,
        lambda z: torch.softmax(z, -1),
        lambda z: F.cross_entropy(z, LABELS),
        lambda z: z[..., :-1, :],
        lambda z: z.__setitem__(0, 1.0),
        lambda z: z.view(-1, 9),
        lambda z: z.logsumexp(-1),
        lambda z: z.tanh().tanh(),
    ],
)
def test_all_else_is_refused(step):
    with pytest.raises((TypeError, AttributeError, ValueError), match=r"not stored|already|unsupported operand"):
        step(unstored())


def test_says_what_it_stands_for():
    z = LazyScores.product(INPUT.reshape(2, 3, 4), WEIGHT)
    assert (z.shape, z.dtype, z.device) == ((2, 3, 9), torch.float64, torch.device("cpu"))


def test_a_weight_without_memory():
    """What FSDP leaves of a weight after its module's forward: never read."""
    weight = WEIGHT.clone()
    z = LazyScores.product(INPUT, weight, BIAS)
    weight.untyped_storage().resize_(0)
    with pytest.raises(TypeError, match="sharded"):
        z.loss(LABELS)
