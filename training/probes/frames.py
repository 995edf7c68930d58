"""Affordance frame probe: the deployed network's frame head, trained on descriptors that stay as they are."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import default_collate
from tqdm import tqdm

from dense_descriptor_ros.category import Category
from dense_descriptor_ros.decode import DecodeConfig, decode
from dense_descriptor_ros.model import DescriptorNet, ModelConfig
from dense_descriptor_ros.predict import frame_entry
from dense_descriptor_ros.training.items.labels import view_labels
from dense_descriptor_ros.training.items.view_pairs import MAX_INSTANCES
from dense_descriptor_ros.training.losses.votes import vote_losses
from dense_descriptor_ros.training.metrics.acf_metrics import part_names, precision_recall
from dense_descriptor_ros.training.metrics.predictions import PredictedFrame, parse_frame
from dense_descriptor_ros.training.metrics.truth import view_frames
from dense_descriptor_ros.training.probes.components import Components, principal_components
from dense_descriptor_ros.training.probes.fit import fit
from dense_descriptor_ros.training.probes.frozen import (
    FrozenFeatures,
    FrozenView,
    at_cells,
    image_channels,
    key,
)
from dense_descriptor_ros.votes import cast_votes

WIDTH = 64
LEARNING_RATE = 2e-3
WEIGHTS = {'object': 8.0, 'part': 1.0, 'keypoint': 0.5, 'axis': 3.0}
"""Of the losses, as where the whole network is trained."""
THRESHOLD = (20.0, 10.0)  # mm, degrees

Truth = dict[str, torch.Tensor]


class AsPyramid(nn.Module):
    """Gives a feature map under the name that a pyramid's first level has."""

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """The map as it is."""
        return {'stride4': features}


def probe(
    train: FrozenFeatures, test: FrozenFeatures, steps: int = 300, batch: int = 4, seed: int = 0
) -> dict[str, float]:
    """`ap_20mm_10deg/PART` on the test views, and their mean over the parts, `ap_20mm_10deg`.

    Raises:
        DatasetError: there are no training views.
        TrainingError: a loss is not finite.
    """
    components = principal_components(train, seed=seed)
    network = fitted(train, components, steps, batch, seed)
    views = tqdm(test, desc='frames, test', unit='view')
    category = test.images.category
    predictions = {key(v.view): predicted_frames(network, components, v, category) for v in views}
    models = test.images.dataset.models
    truth = {key(view.view): view_frames(view.view, models) for view in test}
    name = f'ap_{THRESHOLD[0]:g}mm_{THRESHOLD[1]:g}deg'
    areas = {part: precision_recall(truth, predictions, part, *THRESHOLD).area for part in part_names(truth)}
    mean = float(np.nanmean(list(areas.values()))) if areas else float('nan')
    return {name: mean, **{f'{name}/{part}': area for part, area in areas.items()}}


def fitted(train: FrozenFeatures, components: Components, steps: int, batch: int, seed: int) -> DescriptorNet:
    """A frame head trained on the views, in evaluation mode."""
    pairs = [
        (components(view.descriptors), cell_truth(view, train))
        for view in tqdm(train, desc='frames, training', unit='view')
    ]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = head_network(len(components), len(train.images.category.parts))

    def loss_of(positions: list[int]) -> torch.Tensor:
        output = network(torch.stack([pairs[k][0] for k in positions]).float())
        losses = vote_losses(output, **default_collate([pairs[k][1] for k in positions]))
        return torch.stack([WEIGHTS[name] * value for name, value in losses.items()]).sum()

    fit(network, loss_of, len(pairs), batch, steps, LEARNING_RATE, seed, 'frames')
    return network


def head_network(dimension: int, parts: int) -> DescriptorNet:
    """The network from its first pyramid level (B, k, h, w) on, which also comes out as descriptors."""
    config = ModelConfig(
        pyramid_channels=dimension, descriptor_dim=dimension, head_channels=WIDTH, frames_from='features'
    )
    network = DescriptorNet(config, parts)
    network.backbone, network.pyramid, network.descriptor_head = nn.Identity(), AsPyramid(), nn.Sequential()
    return network


def cell_truth(view: FrozenView, features: FrozenFeatures) -> Truth:
    """What `vote_losses` compares one view with."""
    dataset, category = features.images.dataset, features.images.category
    labels = view_labels(dataset, view.view, view.view.depth_m(), view.camera, category)
    return {
        'depth_m': torch.from_numpy(view.image.depth_m),
        'true_depth_m': torch.from_numpy(at_cells(labels.p_virtual[..., 2]).astype(np.float32)),
        'K': torch.from_numpy(view.image.K.astype(np.float32)),
        'instance_map': torch.from_numpy(at_cells(labels.instance_map).astype(np.int64)),
        'on_part': torch.from_numpy(at_cells(labels.on_part).copy()),
        'origins_m': padded(labels.origins_m.astype(np.float32)),
        'axes': padded(labels.axes.astype(np.float32)),
        'visible': padded(labels.visible),
    }


def padded(values: np.ndarray) -> torch.Tensor:
    """(MAX_INSTANCES, ...) of (I, ...), zeros after the instances."""
    out = np.zeros((MAX_INSTANCES, *values.shape[1:]), values.dtype)
    out[: len(values)] = values
    return torch.from_numpy(out)


@torch.no_grad()
def predicted_frames(
    network: DescriptorNet, components: Components, view: FrozenView, category: Category
) -> list[PredictedFrame]:
    """Frames that the head finds in one view."""
    config = DecodeConfig()
    output = network(components(view.descriptors)[None].float())
    depth, K = torch.from_numpy(view.image.depth_m)[None], torch.from_numpy(view.image.K)[None].float()
    votes = cast_votes(output, image_channels(view.image), depth, K, config.min_object_score)
    frames = decode(votes, category, config)
    return [parse_frame(frame_entry(frame)) for frame in frames]
