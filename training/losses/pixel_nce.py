"""InfoNCE over pixels: each descriptor should pick its match among the other descriptors."""

import torch
import torch.nn.functional as F


def pixel_nce(
    query: torch.Tensor,
    positive: torch.Tensor,
    negative_mask: torch.Tensor,
    background: torch.Tensor,
    temperature: float,
) -> torch.Tensor:
    """Mean cross-entropy of picking each query's own match.

    Source: van den Oord et al. 2018, equation 4 (https://arxiv.org/abs/1807.03748), on L2-normalised
    descriptors.

    Args:
        query: (N, D) descriptors.
        positive: (N, D) descriptor of each query's match.
        negative_mask: (N, N) bool, whether match j is a non-match of query i; the diagonal is not read.
        background: (M, D) further non-matches of every query.
        temperature: divisor of the cosine similarities.

    Returns:
        Scalar; a differentiable 0 without queries.
    """
    if len(query) == 0:
        return query.sum() * 0
    logits = query @ positive.T
    own = torch.eye(len(query), dtype=torch.bool, device=query.device)
    logits = logits.masked_fill(~(negative_mask | own), float('-inf'))
    logits = torch.cat([logits, query @ background.T], 1) / temperature
    return F.cross_entropy(logits, torch.arange(len(query), device=query.device))
