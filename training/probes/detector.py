"""Detection probe: one convolution from descriptors to a heat map of centres and the size of boxes.

Heads and focal loss of CenterNet (Zhou et al. 2019, https://arxiv.org/abs/1904.07850), reduced to one
3x3 convolution: what it finds, the representation holds.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torchvision.ops import nms
from tqdm import tqdm

from dense_descriptor_ros.model import STRIDE
from dense_descriptor_ros.training.probes.boxes import ScoredBoxes, average_precision_boxes, mask_box
from dense_descriptor_ros.training.probes.components import Components, principal_components
from dense_descriptor_ros.training.probes.fit import fit
from dense_descriptor_ros.training.probes.frozen import FrozenView, FrozenViews, known

MIN_PX = 50
"""An object that shows fewer pixels of the reduced image has no box."""
SPOT = 0.12
"""Standard deviation of a centre's spot, in box sizes."""
MIN_SPOT_CELLS = 0.6
SIZED_FROM = 0.25
"""Cells learn the size of a box where its spot is this bright."""
PRIOR = 0.01
"""Probability of a centre before training (Lin et al. 2017, https://arxiv.org/abs/1708.02002)."""
SIZE_WEIGHT = 1.0
MAX_LOG_SIZE = 6.0
LEARNING_RATE = 0.5
"""Over the number of inputs."""
PEAKS = 20
"""Most predictions an image."""
NMS_IOU = 0.5


@dataclass(frozen=True)
class Targets:
    """What the convolution should say of one view of h x w cells."""

    heat: torch.Tensor
    """(h, w) 0 to 1, and 1 at the cell of each centre"""
    log_size: torch.Tensor
    """(2, h, w) log of width and height, in cells, of the nearest spot's box"""


def probe(
    train: FrozenViews, test: FrozenViews, steps: int = 200, batch: int = 6, seed: int = 0
) -> dict[str, float]:
    """`ap50`, and the number of true boxes, `boxes`, of the category's objects in the test views.

    Raises:
        DatasetError: there are no training views.
        TrainingError: a loss is not finite.
    """
    components = principal_components(train, seed=seed)
    convolution = fitted(train, components, steps, batch, seed)
    truth, predicted = [], []
    for view in tqdm(test, desc='detector, test', unit='view'):
        truth.append(true_boxes(view))
        with torch.no_grad():
            output = convolution(components(view.descriptors)[None].float())[0]
        predicted.append(decode(output))
    return {'ap50': average_precision_boxes(truth, predicted), 'boxes': float(sum(map(len, truth)))}


def fitted(train: FrozenViews, components: Components, steps: int, batch: int, seed: int) -> nn.Conv2d:
    """The convolution (k, 3, 3, 3) on components, trained."""
    pairs = [
        (components(view.descriptors), targets_of(view))
        for view in tqdm(train, desc='detector, training', unit='view')
    ]
    targets = [target for _, target in pairs]
    convolution = nn.Conv2d(len(components), 3, 3, padding=1)
    start_from_priors(convolution, targets)

    def loss_of(positions: list[int]) -> torch.Tensor:
        features = torch.stack([pairs[k][0] for k in positions]).float()
        heat = torch.stack([targets[k].heat for k in positions])
        log_size = torch.stack([targets[k].log_size for k in positions])
        return losses(convolution(features), heat, log_size)

    # A step of Adam moves the output by the rate times the number of inputs, whatever the gradient's size.
    rate = LEARNING_RATE / (9 * len(components))
    fit(convolution, loss_of, len(pairs), batch, steps, rate, seed, 'detector')
    return convolution


def start_from_priors(convolution: nn.Conv2d, targets: list[Targets]) -> None:
    """Zero weights; biases that say `PRIOR` everywhere and the geometric mean of the training boxes."""
    nn.init.zeros_(convolution.weight)
    sizes = torch.cat([target.log_size[:, target.heat >= SIZED_FROM] for target in targets], 1)
    size = sizes.mean(1) if sizes.shape[1] else torch.zeros(2)
    prior = torch.tensor([math.log(PRIOR / (1 - PRIOR))])
    convolution.bias = nn.Parameter(torch.cat([prior, size]))


def true_boxes(view: FrozenView) -> np.ndarray:
    """Boxes (N, 4), in pixels of the reduced image, of the visible masks of the category's objects."""
    instances = known(view.image.instances, 'instances')
    masks = [instances == number for number in view.objects]
    return np.array([mask_box(mask) for mask in masks if mask.sum() >= MIN_PX]).reshape(-1, 4)


def targets_of(view: FrozenView) -> Targets:
    """Heat map and sizes of a view's boxes; where spots overlap the brighter counts."""
    h, w = view.descriptors.shape[-2:]
    heat, log_size = torch.zeros(h, w), torch.zeros(2, h, w)
    for left, top, right, bottom in true_boxes(view) / STRIDE:
        width, height = right - left, bottom - top
        # Cell (i, j) covers [j, j + 1) x [i, i + 1): its centre is the spot's, so that it is exactly 1 there.
        j, i = min(int((left + right) / 2), w - 1), min(int((top + bottom) / 2), h - 1)
        across = gaussian(torch.arange(w) - j, max(SPOT * width, MIN_SPOT_CELLS))
        down = gaussian(torch.arange(h) - i, max(SPOT * height, MIN_SPOT_CELLS))
        spot = down[:, None] * across[None]
        size = torch.tensor([math.log(width), math.log(height)])
        log_size = torch.where(spot > heat, size[:, None, None], log_size)
        heat = torch.maximum(heat, spot)
    return Targets(heat, log_size)


def gaussian(offset: torch.Tensor, deviation: float) -> torch.Tensor:
    """1 at 0."""
    return (-(offset.float() ** 2) / (2 * deviation**2)).exp()


def losses(output: torch.Tensor, heat: torch.Tensor, log_size: torch.Tensor) -> torch.Tensor:
    """Focal loss of centres, an image's objects weighing alike, and L1 of the logarithms of sizes.

    Args:
        output: (B, 3, h, w) of the convolution.
        heat: (B, h, w)
        log_size: (B, 2, h, w)
    """
    logit = output[:, 0]
    probability, centre = logit.sigmoid(), heat == 1
    found = -((1 - probability) ** 2) * F.logsigmoid(logit)
    empty = -((1 - heat) ** 4) * probability**2 * F.logsigmoid(-logit)
    focal = torch.where(centre, found, empty).sum() / centre.sum().clamp(min=1)
    weight = heat * (heat >= SIZED_FROM)
    error = (output[:, 1:] - log_size).abs().sum(1)
    return focal + SIZE_WEIGHT * (error * weight).sum() / weight.sum().clamp(min=1)


def decode(output: torch.Tensor) -> ScoredBoxes:
    """At most `PEAKS` boxes, in pixels, at the local maxima of the heat map of an output (3, h, w)."""
    heat = output[0].sigmoid()
    peak = F.max_pool2d(heat[None], 3, 1, 1)[0] == heat
    i, j = torch.nonzero(peak, as_tuple=True)
    best = heat[i, j].argsort(descending=True, stable=True)[:PEAKS]
    i, j = i[best], j[best]
    centre = torch.stack([j, i], 1) + 0.5
    half = output[1:, i, j].T.clamp(max=MAX_LOG_SIZE).exp() / 2
    boxes = torch.cat([centre - half, centre + half], 1) * STRIDE
    keep = nms(boxes, heat[i, j], NMS_IOU)
    return ScoredBoxes(boxes[keep].double().numpy(), heat[i, j][keep].double().numpy())
