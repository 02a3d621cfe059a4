"""Trains a small policy twice by the same updates, from plain scores and by linear_statistics: the same curve.

The updates are those of GRPO: each prompt gets a group of completions, a completion's advantage is its reward minus the mean of its
group, divided by its standard deviation, and the ratio of new to old probability of every token is clipped. An entropy bonus and a
penalty for leaving the first policy are added. All of it needs two numbers per token: the log-probability of the token that was
sampled, and the entropy. Only the function that computes them differs:

    F.log_softmax(F.linear(hidden, weight, bias), -1)                stores a number per token and class, several times
    linear_statistics(hidden, weight, tokens, bias=bias)             stores a block of them at a time

A prompt is the token 1 or 2; the reward is the share of the completion's tokens that are odd, or even, as the prompt is. Both policies
learn from the tokens that the first one samples, so that no rounding error can change what is sampled. Tokens after the end of a
completion have the label -100 and do not count.

    python examples/policy_gradient.py               # 25 steps, some seconds
    python examples/policy_gradient.py --steps 100
"""

from __future__ import annotations

import argparse
import copy

import torch
import torch.nn.functional as F

from lastlayer.torch import linear_statistics

CLASSES, WIDTH, LENGTH = 1024, 32, 8
PROMPTS, GROUP, UPDATES = 16, 8, 2
CLIP, ENTROPY, KL = 0.2, 1e-3, 1e-2
END, IGNORED = 0, -100


class Policy(torch.nn.Module):
    """Tokens → the hidden states that the head turns into scores of the next token."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.recur = torch.nn.Embedding(CLASSES, WIDTH), torch.nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.head = torch.nn.Linear(WIDTH, CLASSES)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.recur(self.embed(tokens))[0]


def plain(policy: Policy, hidden: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability of the labels and entropy, from stored scores."""
    logs = F.log_softmax(F.linear(hidden, policy.head.weight, policy.head.bias), -1)
    chosen = logs.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return torch.where(labels == IGNORED, 0.0, chosen), -(logs.exp() * logs).sum(-1)


def blocked(policy: Policy, hidden: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The same from linear_statistics."""
    found = linear_statistics(hidden, policy.head.weight, labels, bias=policy.head.bias)
    return found.log_prob, found.entropy


@torch.no_grad()
def sample(policy: Policy) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Prompts with their completions (N, 1 + LENGTH), labels (N, LENGTH) with masked ends, and a reward per completion."""
    prompts = torch.randint(1, 3, (PROMPTS,)).repeat_interleave(GROUP)[:, None]
    tokens, state = [prompts], None
    for _ in range(LENGTH):
        hidden, state = policy.recur(policy.embed(tokens[-1]), state)
        tokens.append(torch.multinomial(policy.head(hidden[:, -1]).softmax(-1), 1))
    made = torch.cat(tokens[1:], 1)
    is_over = (made == END).cumsum(1) > (made == END).long()
    is_right = (made % 2 == prompts % 2) & ~is_over
    return torch.cat(tokens, 1), made.masked_fill(is_over, IGNORED), is_right.float().mean(1)


def advantages(rewards: torch.Tensor) -> torch.Tensor:
    """Rewards relative to their group."""
    groups = rewards.view(-1, GROUP)
    return ((groups - groups.mean(1, keepdim=True)) / (groups.std(1, keepdim=True) + 1e-4)).view(-1, 1)


def objective(
    log_prob: torch.Tensor,
    entropy: torch.Tensor,
    old: torch.Tensor,
    first: torch.Tensor,
    advantage: torch.Tensor,
    labels: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """GRPO's loss of the tokens that count, and their mean entropy."""
    ratio = torch.exp(log_prob - old)
    gain = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
    away = torch.expm1(first - log_prob) - (first - log_prob)
    counts = labels != IGNORED
    mean_entropy = entropy[counts].mean()
    return -(gain - KL * away)[counts].mean() - ENTROPY * mean_entropy, mean_entropy


def train(steps: int) -> list[dict[str, list[float]]]:
    """Loss, mean entropy and mean log-probability of every update, for both ways; and the rewards."""
    torch.manual_seed(0)
    start = Policy()
    policies = [copy.deepcopy(start) for _ in range(2)]
    ways = (plain, blocked)
    optimisers = [torch.optim.Adam(policy.parameters(), lr=2e-2) for policy in policies]
    curves = [{"loss": [], "entropy": [], "log_prob": [], "reward": []} for _ in ways]
    for _ in range(steps):
        tokens, labels, rewards = sample(policies[0])
        advantage, given = advantages(rewards), tokens[:, :-1]
        for policy, way, optimiser, curve in zip(policies, ways, optimisers, curves, strict=True):
            with torch.no_grad():
                old, first = (way(p, p(given), labels)[0] for p in (policy, start))
            for _ in range(UPDATES):
                log_prob, entropy = way(policy, policy(given), labels)
                loss, mean_entropy = objective(log_prob, entropy, old, first, advantage, labels)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            curve["loss"].append(loss.item())
            curve["entropy"].append(mean_entropy.item())
            curve["log_prob"].append(log_prob.detach().sum().item() / int((labels != IGNORED).sum()))
            curve["reward"].append(rewards.mean().item())
    return curves


def show(curves: list[dict[str, list[float]]]) -> float:
    """Print both runs side by side. Returns the largest difference of their log-probabilities and entropies, relative."""
    theirs, ours = curves
    steps = len(theirs["loss"])
    print(f"{PROMPTS * GROUP} completions of at most {LENGTH} tokens, {CLASSES} classes, {UPDATES} updates per step")
    print(f"{'':14}{'mean log-probability':>31}{'mean entropy':>31}")
    print(f"{'step':>5}{'reward':>9}" + f"{'plain':>12}{'linear_statistics':>19}" * 2)
    for at in sorted({*range(0, steps, max(1, steps // 8)), steps - 1}):
        print(
            f"{at + 1:5}{theirs['reward'][at]:9.3f}{theirs['log_prob'][at]:12.6f}{ours['log_prob'][at]:19.6f}"
            f"{theirs['entropy'][at]:12.6f}{ours['entropy'][at]:19.6f}"
        )
    worst = max(
        abs(a - b) / abs(a) for name in ("log_prob", "entropy") for a, b in zip(theirs[name], ours[name], strict=True)
    )
    print(f"largest difference: {worst:.1e} of the value")
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=25)
    if show(train(parser.parse_args().steps)) > 1e-2:
        raise SystemExit("The curves differ.")


if __name__ == "__main__":
    main()
