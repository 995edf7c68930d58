"""Losses between two views of images: of one vector an image, and of a set of slots an image.

All are scalars. Source: Baldassarre and Azizpour 2022 (https://arxiv.org/abs/2203.05997).
"""

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment


def ctr(a: torch.Tensor, b: torch.Tensor, temperature: float) -> torch.Tensor:
    """NT-Xent: each of the vectors `a` and `b` (..., n, D) should pick its counterpart among 2n - 1 others.

    Groups in leading dimensions do not see each other; one group costs what lightly's NTXentLoss says, which
    has no groups. Equal vectors cost log(2n - 1). Source: Chen et al. 2020, equation 1
    (https://arxiv.org/abs/2002.05709).
    """
    vectors = F.normalize(torch.cat([a, b], -2), dim=-1, eps=1e-6)
    count = vectors.shape[-2]
    itself = torch.eye(count, dtype=torch.bool, device=vectors.device)
    logits = (vectors @ vectors.mT / temperature).masked_fill(itself, float('-inf')).reshape(-1, count)
    counterpart = torch.arange(count, device=vectors.device).roll(count // 2)
    return F.cross_entropy(logits, counterpart.repeat(len(logits) // count))


def sim(a: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean of (1 - cos) / 2 between vectors `a` and a target (..., D) that takes no gradient: 0 to 1."""
    return (1 - F.cosine_similarity(a, target.detach(), dim=-1, eps=1e-6)).mean() / 2


def ctr_all(a: torch.Tensor, b: torch.Tensor, temperature: float) -> torch.Tensor:
    """Each slot of `a` and `b` (B, S, D) should pick its match among the 2BS - 1 others of the batch."""
    return ctr(a.flatten(0, 1), aligned(a, b).flatten(0, 1), temperature)


def ctr_img(a: torch.Tensor, b: torch.Tensor, temperature: float) -> torch.Tensor:
    """Each slot of `a` and `b` (B, S, D) should pick its match among the 2S - 1 others of its image pair."""
    return ctr(a, aligned(a, b), temperature)


def sim_img(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Each slot of `a` and `b` (B, S, D) should look like its match: (1 - cos) / 2, both ways."""
    b = aligned(a, b)
    return (sim(a, b) + sim(b, a)) / 2


def aligned(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The slots `b` (B, S, D) in the order in which they match the slots `a` best."""
    return b.gather(1, match(a, b)[..., None].expand_as(b))


@torch.no_grad()
def match(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(B, S) int64: which slot of `b` belongs to each of `a`, one to one, with the largest sum of cosines.

    Slots that are not finite match in any order: their loss tells of them.
    """
    cosines = F.normalize(a, dim=-1, eps=1e-6) @ F.normalize(b, dim=-1, eps=1e-6).mT
    columns = [linear_sum_assignment(c, maximize=True)[1] for c in cosines.nan_to_num(0, 0, 0).cpu().numpy()]
    return torch.stack([torch.from_numpy(c) for c in columns]).to(a.device, torch.int64)
