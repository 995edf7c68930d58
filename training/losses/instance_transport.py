"""Optimal transport between two sets of instance features: which goes with which is found, not given."""

import torch
import torch.nn.functional as F
from ot.batch import solve_batch

ENTROPY = 0.1
TOLERANCE = 1e-5
"""Largest distance of a plan's row sums from the marginals; its column sums are exact. Float32 reaches this,
but not always 1e-6."""
MAX_ITERATIONS = 10_000
"""Usually 100 suffice; features in two opposite groups took up to 5300."""
FLOOR = 0.01
"""Least share of an instance: with none, its row of the plan would be 0 and its logarithm infinite."""
EPS = 1e-6


def instance_transport(
    online: torch.Tensor, target: torch.Tensor, online_scene: torch.Tensor, target_scene: torch.Tensor
) -> torch.Tensor:
    """Mean over images of <plan, cost>, the cost being 1 - cos and the plan detached.

    Source: Li et al. 2022, UniVIP, section 3 (https://arxiv.org/abs/2203.06965).

    Args:
        online: (B, K, D) features of the trained network, float32 or float64.
        target: (B, K, D) features to move to.
        online_scene: (B, D) mean feature of the scene in the trained network.
        target_scene: (B, D) the same in the target network.

    Returns:
        Scalar, 0 to 2. The gradient goes through the cost only.
    """
    cost = 1 - F.cosine_similarity(online[:, :, None], target[:, None], dim=-1, eps=EPS)
    plan = transport_plan(cost, marginals(online, target_scene), marginals(target, online_scene))
    return (plan * cost).sum((1, 2)).mean()


@torch.no_grad()
def marginals(features: torch.Tensor, scene: torch.Tensor) -> torch.Tensor:
    """(B, K) share of each instance: how far it agrees with the scene, max(o . s, 0), made to sum to 1.

    No share is under FLOOR before the last division, and all are equal where no instance agrees.

    Args:
        features: (B, K, D).
        scene: (B, D), of the other network.
    """
    mass = (features * scene[:, None]).sum(-1).clamp(min=0)
    total = mass.sum(1, keepdim=True)
    tiny = torch.finfo(mass.dtype).tiny
    share = torch.where(total > tiny, mass / total.clamp(min=tiny), 1 / mass.shape[1]).clamp(min=FLOOR)
    return share / share.sum(1, keepdim=True)


@torch.no_grad()
def transport_plan(
    cost: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, tolerance: float = TOLERANCE
) -> torch.Tensor:
    """(B, K, K) entropic plans of costs (B, K, K) between marginals (B, K), by Sinkhorn in the log domain.

    Source: Cuturi 2013 (https://arxiv.org/abs/1306.0895), as POT has it for batches.
    """
    return solve_batch(
        cost,
        reg=ENTROPY,
        a=rows,
        b=columns,
        max_iter=MAX_ITERATIONS,
        tol=tolerance,
        method='log_sinkhorn',
        grad='detach',
    ).plan
