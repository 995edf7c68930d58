"""The losses of projected vectors, as the settings choose them."""

import torch
import torch.nn.functional as F
from lightly.loss.vicreg_loss import covariance_loss, variance_loss

from dense_descriptor_ros.training.losses.slot_contrast import ctr, ctr_all, ctr_img, sim, sim_img


def global_loss(
    kind: str, large: torch.Tensor, small: torch.Tensor | None, temperature: float
) -> torch.Tensor:
    """Mean over the pairs of a crop and a large crop of the same images, which is the target.

    Args:
        kind: ctr or sim.
        large: (B, 2, D) vectors of the large crops.
        small: (B, C, D) vectors of the small crops, or None without.
        temperature: of ctr.
    """
    first, second = large.unbind(1)
    pairs = [(first, second), (second, first)]
    if small is not None:
        pairs += [(crop, target) for crop in small.unbind(1) for target in (first, second)]
    losses = [sim(a, b) if kind == 'sim' else ctr(a, b, temperature) for a, b in pairs]
    return torch.stack(losses).mean()


def object_loss(kind: str, slots: torch.Tensor, temperature: float) -> torch.Tensor:
    """Loss `ctr_all`, `ctr_img` or `sim_img` of the slots (B, 2, S, D) of two large crops."""
    first, second = slots.unbind(1)
    if kind == 'sim_img':
        return sim_img(first, second)
    return (ctr_all if kind == 'ctr_all' else ctr_img)(first, second, temperature)


def decorrelation(sets: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """VICReg's terms `variance` and `covariance`, mean over sets of vectors (n, D); 0 for sets of one.

    Source: Bardes et al. 2021, equations 1 to 4 (https://arxiv.org/abs/2105.04906); lightly's.
    """
    terms = {'variance': variance_loss, 'covariance': covariance_loss}
    return {
        name: torch.stack([term(z) if len(z) > 1 else z.sum() * 0 for z in sets]).mean()
        for name, term in terms.items()
    }


def spread(vectors: torch.Tensor) -> torch.Tensor:
    """Standard deviation of unit vectors (..., n, D) over n, mean of the rest: 0 where all are the same.

    Vectors in all directions have 1 / sqrt(D).
    """
    return F.normalize(vectors.detach().float(), dim=-1, eps=1e-6).std(-2, correction=0).mean()
