"""Distributional loss: a descriptor's similarity to the other image should peak at its match alone."""

import torch


def distributional(
    query: torch.Tensor,
    image: torch.Tensor,
    match_cell: torch.Tensor,
    temperature: float,
    spread_cells: float,
) -> torch.Tensor:
    """Cross-entropy between a Gaussian about the match and the softmax of the similarities over an image.

    No non-matches are sampled: all cells compete. Source: Florence 2020, "Dense visual learning for robot
    manipulation", chapter 4 (https://hdl.handle.net/1721.1/128398).

    Args:
        query: (N, D) descriptors.
        image: (D, h, w) descriptors of the other image.
        match_cell: (N, 2) column and row of each query's match, in cells, whole or not.
        temperature: divisor of the similarities.
        spread_cells: standard deviation of the Gaussian.

    Returns:
        Scalar; a differentiable 0 without queries.
    """
    if len(query) == 0:
        return query.sum() * 0
    _, h, w = image.shape
    rows, columns = torch.meshgrid(
        torch.arange(h, device=image.device), torch.arange(w, device=image.device), indexing='ij'
    )
    cells = torch.stack([columns, rows], -1).reshape(1, -1, 2).to(match_cell.dtype)
    distance2 = (cells - match_cell[:, None]).square().sum(-1)
    target = (-distance2 / (2 * spread_cells**2)).softmax(1)
    log_probability = (query @ image.flatten(1) / temperature).log_softmax(1)
    return -(target * log_probability).sum(1).mean()
