"""Contrastive loss with a margin over pixels, as Dense Object Nets were trained with."""

import torch


def pixel_margin(
    query: torch.Tensor,
    positive: torch.Tensor,
    negative_mask: torch.Tensor,
    background: torch.Tensor,
    margin: float,
) -> torch.Tensor:
    """Mean squared distance of matches, plus the mean over hard non-matches of (margin - distance)^2.

    A non-match is hard if it is nearer than the margin. Dividing by their number, not by that of all
    non-matches, is what Florence et al. 2018 (https://arxiv.org/abs/1806.08756, section 3.2) call hard
    negative scaling.

    Args:
        query: (N, D) descriptors.
        positive: (N, D) descriptor of each query's match.
        negative_mask: (N, N) bool, whether match j is a non-match of query i.
        background: (M, D) further non-matches of every query.
        margin: distance that non-matches should have.

    Returns:
        Scalar; a differentiable 0 without queries.
    """
    if len(query) == 0:
        return query.sum() * 0
    matches = (query - positive).square().sum(1).mean()
    among = distances(query, positive)[negative_mask]
    short = (margin - torch.cat([among, distances(query, background).flatten()])).clamp(min=0)
    return matches + short.square().sum() / (short > 0).sum().clamp(min=1)


def distances(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(N, M) Euclidean, with a finite gradient where two descriptors are equal."""
    return (a[:, None] - b[None]).square().sum(-1).add(1e-12).sqrt()
