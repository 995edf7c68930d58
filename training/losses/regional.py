"""Contrast across images between pixels of labelled regions: pixels of one class should agree."""

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

ANCHORS_AT_ONCE = 512
NEVER = -1e9
"""Logit of a key that does not count; finite, so that its gradient is 0 and not NaN."""


def regional_nce(
    embeddings: torch.Tensor,
    labels: torch.Tensor,
    bank: torch.Tensor,
    bank_labels: torch.Tensor,
    temperature: float = 0.07,
) -> torch.Tensor:
    """Mean over anchors of the mean NT-Xent over each anchor's positives.

    Every embedding is an anchor; its keys are all others, detached, and the bank. A positive has the anchor's
    label and competes with the keys of other labels alone, not with other positives as in SupCon. Source:
    Wang et al. 2021, equation 3 (https://arxiv.org/abs/2101.11939). The same as pytorch-metric-learning's
    `NTXentLoss(temperature, reducer=PerAnchorReducer())`, which takes no bank of another size than the batch
    and holds every pair of a positive with a negative: more than 1e13 numbers for 4,096 anchors.

    Args:
        embeddings: (N, D), L2-normalised, float32.
        labels: (N,) int.
        bank: (M, D), L2-normalised, of earlier batches.
        bank_labels: (M,) int.
        temperature: divisor of the cosine similarities.

    Returns:
        Scalar; anchors without a positive or a negative count 0, so one class alone gives a differentiable 0.
    """
    if len(embeddings) == 0:
        return embeddings.sum() * 0
    keys = torch.cat([embeddings.detach(), bank])
    key_labels = torch.cat([labels, bank_labels])
    costs = [
        # Logits are computed again in the backward pass: at once they would fill gigabytes.
        checkpoint(
            anchor_costs,
            embeddings[part],
            part,
            labels[part],
            keys,
            key_labels,
            temperature,
            use_reentrant=False,
            preserve_rng_state=False,
        )
        for part in torch.arange(len(embeddings), device=labels.device).split(ANCHORS_AT_ONCE)
    ]
    return torch.cat(costs).mean()


def anchor_costs(
    anchors: torch.Tensor,
    own: torch.Tensor,
    labels: torch.Tensor,
    keys: torch.Tensor,
    key_labels: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """(N,) mean NT-Xent of each anchor (N, D) over its positives; `own` (N,) is its place among the keys."""
    logits = anchors @ keys.T / temperature
    same = labels[:, None] == key_labels[None]
    negatives = logits.masked_fill(same, NEVER).logsumexp(1, keepdim=True)
    positive = same.scatter(1, own[:, None], False)
    # -log(e^p / (e^p + sum of e^n)) = softplus(log(sum of e^n) - p)
    costs = F.softplus(negatives - logits) * positive
    return costs.sum(1) / positive.sum(1).clamp(min=1)


def reco(
    embeddings: torch.Tensor,
    labels: torch.Tensor,
    probability: torch.Tensor,
    keys: torch.Tensor,
    key_labels: torch.Tensor,
    temperature: float = 0.5,
    anchors: int = 256,
    negatives: int = 512,
    confident: float = 0.97,
) -> torch.Tensor:
    """Regional contrast: hard anchors should agree with their class's mean and with no other class.

    Source: Liu et al. 2022, equations 1 to 3 (https://arxiv.org/abs/2104.04465): classes with a more similar
    mean give more of the negatives. Anchors and negatives are drawn from torch's global generator.

    Args:
        embeddings: (N, D), L2-normalised, float32.
        labels: (N,) int.
        probability: (N,) that the class head gives each embedding's label.
        keys: (K, D), L2-normalised, which class means and negatives are taken from; no gradient goes there.
        key_labels: (K,) int.
        temperature: divisor of the cosine similarities, of embeddings and of class means.
        anchors: at most so many a class.
        negatives: so many an anchor, drawn with replacement.
        confident: an embedding of at least this probability is no anchor.

    Returns:
        Scalar, the mean over the classes that have an anchor; a differentiable 0 if none has, or if the keys
        are of one class. Equal embeddings cost log(1 + negatives).
    """
    keys = keys.detach()
    classes, member, counts = key_labels.unique(return_inverse=True, return_counts=True)
    costs = []
    means = class_means(keys, member, len(classes))
    for k, label in enumerate(classes if len(classes) > 1 else []):
        hard = torch.nonzero((labels == label) & (probability < confident))[:, 0]
        chosen = embeddings[hard[torch.randperm(len(hard), device=hard.device)[:anchors]]]
        if len(chosen) == 0:
            continue
        likeness = (means @ means[k] / temperature).masked_fill(
            torch.arange(len(means), device=means.device) == k, NEVER
        )
        share = likeness.softmax(0) / counts
        drawn = torch.multinomial(share[member], len(chosen) * negatives, replacement=True)
        against = (chosen @ keys.T).gather(1, drawn.view(len(chosen), negatives))
        logits = torch.cat([chosen @ means[k, :, None], against], 1) / temperature
        costs.append(F.cross_entropy(logits, torch.zeros(len(chosen), dtype=torch.long, device=hard.device)))
    return torch.stack(costs).mean() if costs else embeddings.sum() * 0


def class_means(keys: torch.Tensor, member: torch.Tensor, count: int) -> torch.Tensor:
    """Unit means (count, D) of the keys (K, D) of each class `member` (K,)."""
    sums = keys.new_zeros(count, keys.shape[1]).index_add(0, member, keys)
    return F.normalize(sums, dim=1, eps=1e-6)
