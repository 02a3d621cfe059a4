"""The short answer, which every entrance gives first: README, `lastlayer explore`, the documents' first page."""

from __future__ import annotations

QUESTION = "Why softmax, and not just divide by the sum?"

#: Two paragraphs: what each does, and whether it matters. Stars mark emphasis, as in Markdown.
SHORT_ANSWER: tuple[str, ...] = (
    "Both turn scores into numbers that sum to one. Dividing by the sum (the *ratio*) needs scores that are not negative, and "
    "sees only their **proportions**: [1, 0.5] and [100, 50] give the same .67 and .33. Softmax takes e^score first and then "
    "divides. It accepts any scores, and sees only their **differences**: [1, 0.5] and [−1, −1.5] give the same .62 and .38. The "
    "scores of a network (logits) have no natural zero and are often negative, so differences are what it can learn. Of all "
    "ways to make scores positive and then divide by the sum, the exponential is the only one that depends on differences alone. "
    "It also makes the log loss (cross-entropy) convex in the scores, with a simple gradient: p − y, probability minus truth.",
    "Does it matter? For these two numbers it hardly does, and the ratio is even the more certain of the two; softmax overtakes "
    "it once the scores are 1.39 times as large. In training it does matter: two plain gradient steps of size 1 from [1, 0.5], "
    "with the second class true, take the ratio to a negative score, where it has no answer.",
)
