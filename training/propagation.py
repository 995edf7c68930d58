"""Spreads what is known of a few places over an image, by the similarity of their embeddings."""

import torch
import torch.nn.functional as F

CELLS_AT_ONCE = 2048


def propagate(
    embeddings: torch.Tensor, reference: torch.Tensor, values: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Value of every cell: the mean of the known values, weighted by softmax(cos / temperature).

    c(x) = sum of w_m c_m / sum of w_m over the M references. Equal values stay what they are, and none leaves
    the range of those given.

    Args:
        embeddings: (D, h, w) of an image, of any length.
        reference: (M, D) embeddings whose values are known, M >= 1.
        values: (M,) or (M, C), such as a cost, or one-hot labels.
        temperature: above 0; a small one asks the most similar reference alone.

    Returns:
        (h, w) or (h, w, C) float32.
    """
    columns = values.float().reshape(len(values), -1)
    unit = F.normalize(reference.float(), dim=1, eps=1e-6)
    cells = F.normalize(embeddings.float().flatten(1).T, dim=1, eps=1e-6)
    # A part at a time: all similarities of an image with itself would fill gigabytes.
    parts = [(part @ unit.T / temperature).softmax(1) @ columns for part in cells.split(CELLS_AT_ONCE)]
    # Rounding may leave the range by its last digit.
    mean = torch.cat(parts).clamp(columns.amin(0), columns.amax(0))
    return mean.reshape(*embeddings.shape[1:], *values.shape[1:])
