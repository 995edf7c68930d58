"""Contrast across instances: descriptors of corresponding points on different objects should agree."""

import torch


def surface_nce(
    descriptors: torch.Tensor,
    coordinates: torch.Tensor,
    candidate_mask: torch.Tensor,
    background: torch.Tensor,
    temperature: float,
    bandwidth: float,
) -> torch.Tensor:
    """Cross-entropy between similarity in descriptor space and nearness in surface coordinates.

    For point i the target distribution over its candidates j is a Gaussian of the distance of their surface
    coordinates; the prediction is the softmax of their similarities, the background among them. A
    constant descriptor scores log(candidates + background), so a collapse is not rewarded.

    Args:
        descriptors: (N, D), L2-normalised.
        coordinates: (N, C) coordinates that tie points of different instances.
        candidate_mask: (N, N) bool, which pairs to compare: points of other instances.
        background: (M, D) descriptors off the category, never right.
        temperature: divisor of the similarities.
        bandwidth: standard deviation of the Gaussian, in surface coordinates.

    Returns:
        Scalar mean over the points that have a counterpart within two bandwidths; a differentiable 0 if none.
    """
    distance2 = torch.cdist(coordinates, coordinates).square()
    kernel = torch.exp(-distance2 / (2 * bandwidth**2)) * candidate_mask
    has_counterpart = ((distance2 < (2 * bandwidth) ** 2) & candidate_mask).any(1)
    if not has_counterpart.any():
        return descriptors.sum() * 0
    kernel = kernel[has_counterpart]
    target = kernel / kernel.sum(1, keepdim=True)
    query = descriptors[has_counterpart]
    logits = (query @ descriptors.T / temperature).masked_fill(~candidate_mask[has_counterpart], -1e4)
    logits = torch.cat([logits, query @ background.T / temperature], 1)
    log_probability = logits.log_softmax(1)[:, : len(descriptors)]
    return -(target * log_probability).sum(1).mean()
