"""The objective on small images: its parts at each level, its heads, its items and its files."""

import copy
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from test_augmented_pairs import Drawn
from tiny_bop import write_tiny_bop
from torch.utils.data import default_collate

from dense_descriptor_ros import training
from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.checkpoint import load_checkpoint
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.model import STRIDE, ModelConfig
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.encoder import Encoder
from dense_descriptor_ros.training.items.augmented_pairs import AugmentedPairs
from dense_descriptor_ros.training.items.augmented_views import AugmentedViews
from dense_descriptor_ros.training.items.scene_pairs import ScenePairs
from dense_descriptor_ros.training.items.view_pairs import PairConfig, ViewPairs
from dense_descriptor_ros.training.objectives.dense_contrastive import (
    DenseContrastive,
    DenseContrastiveConfig,
)
from dense_descriptor_ros.training.objectives.dense_contrastive.contrast import (
    multi_view_loss,
    non_matches,
    spread,
)
from dense_descriptor_ros.training.objectives.dense_contrastive.levels import FEWEST, Level
from dense_descriptor_ros.training.objectives.dense_contrastive.matches import matches_of
from dense_descriptor_ros.training.objectives.dense_contrastive.prediction import Prediction, box_descriptors
from dense_descriptor_ros.training.sources.bop import BopImages

SMALL = ModelConfig(descriptor_dim=4, pyramid_channels=16, head_channels=16, last_stage_channels=32)
SIZE = PairConfig(width=64, height=64, points=64)
MUG = load_category('mug')
NO_LABELS = {'object': 0, 'part': 0, 'keypoint': 0, 'axis': 0, 'across_instances': 0}
ONE_IMAGE = {'pairs_from': 'augmentations', **NO_LABELS}


def objective(**settings):
    torch.manual_seed(0)
    return DenseContrastive(DenseContrastiveConfig(**settings), SMALL, MUG, SIZE, AugmentationConfig())


@pytest.fixture(scope='module')
def mugs(tmp_path_factory):
    return BopImages(open_bop(write_tiny_bop(tmp_path_factory.mktemp('bop')), 'test'), MUG)


def batch_of(task, source, count=2):
    items = task.items(source, seed=3)
    return default_collate([items[position] for position in range(count)])


def test_the_saved_state_is_that_of_the_network_alone_and_the_encoder_shares_its_backbone():
    task = copy.deepcopy(objective())  # as the average of the weights is made
    assert {name.split('.')[0] for name in task.state_dict()} == {'network'}
    encoder = task.encoder
    ours, theirs = dict(task.network.backbone.named_parameters()), dict(encoder.backbone.named_parameters())
    assert all(theirs[name] is ours[name] for name in ours)
    alone = Encoder(SMALL)
    alone.load_state_dict(encoder.state_dict())
    assert alone.widths == encoder.widths
    channels = torch.randn(1, 9, 64, 64)
    torch.testing.assert_close(
        alone.eval().hypercolumns(channels), task.eval().encoder.hypercolumns(channels)
    )


def test_the_total_is_the_weighted_sum_and_the_spread_is_no_part_of_it(mugs):
    task = objective(multi_view=2.0)
    losses = task.losses(batch_of(task, mugs))
    weights = {name: getattr(task.config, name) for name in losses if name not in ('total', 'spread')}
    assert set(weights) == {'object', 'part', 'keypoint', 'axis', 'multi_view', 'across_instances'}
    expected = sum(weight * float(losses[name].detach()) for name, weight in weights.items())
    assert float(losses['total'].detach()) == pytest.approx(expected, rel=1e-5)
    assert not losses['spread'].requires_grad


@pytest.mark.parametrize('settings', [{}, {**ONE_IMAGE, 'levels': 'all', 'head': 'predictor'}])
def test_losses_are_in_single_precision_when_the_network_is_not(settings, mugs):
    task = objective(**settings)
    batch = batch_of(task, mugs)
    with torch.autocast('cpu', torch.bfloat16):
        torch.manual_seed(1)
        half = task.losses(batch)
    torch.manual_seed(1)
    single = task.losses(batch)
    for name, value in half.items():
        assert value.dtype == torch.float32, name
        assert float(value.detach()) == pytest.approx(float(single[name].detach()), rel=0.1, abs=0.1), name


def turned(uv, size=64):
    """Pixels of an image turned by a quarter and mirrored."""
    return torch.stack([uv[:, 1], uv[:, 0]], 1) * torch.tensor([1.0, -1.0]) + torch.tensor([0.0, size - 1])


def perfect(stride, size=64):
    """Maps of view 0 and 1 whose descriptors are those of the place of view 0 that a cell shows."""
    cells = torch.arange(size // stride) * stride + stride / 2 - 0.5
    v, u = torch.meshgrid(cells, cells, indexing='ij')
    uv = torch.stack([u.flatten(), v.flatten()], 1)
    back = torch.stack([size - 1 - uv[:, 1], uv[:, 0]], 1)  # inverse of `turned`
    maps = [place(points, size).T.unflatten(1, u.shape) for points in (uv, back)]
    return Level(torch.stack(maps), stride)


def place(uv, size):
    waves = torch.tensor([1.0, 2.0]) * torch.pi / size
    angles = (uv[:, :, None] * waves).flatten(1)
    return F.normalize(torch.cat([angles.sin(), angles.cos()], 1), dim=1)


def pair_of_views(count=128, size=64):
    """A batch of one pair; the second view is the first, turned and mirrored."""
    generator = torch.Generator().manual_seed(0)
    uv = torch.rand(count, 2, generator=generator) * (size - 9) + 4
    return {
        'uv': torch.stack([uv, turned(uv)])[None],
        'match_uv': turned(uv)[None],
        'matched': torch.ones(1, count, dtype=torch.bool),
        'owner': torch.ones(1, 2, count, dtype=torch.int64),
        'p_object': torch.zeros(1, count, 3),
        'instance_map': torch.ones(1, 2, size // STRIDE, size // STRIDE, dtype=torch.int64),
    }


@pytest.mark.parametrize('stride', [4, 8, 16])
@pytest.mark.parametrize('contrast', ['nce', 'margin', 'distributional'])
def test_at_every_level_a_match_is_where_its_own_view_has_it(stride, contrast):
    config = DenseContrastiveConfig(**ONE_IMAGE, contrast=contrast, temperature=0.02)
    batch, level = pair_of_views(), perfect(stride)
    right = float(multi_view_loss(level, batch, config))
    # The geometry of view 0 used for both views, and the match moved by two cells.
    for uv in (batch['uv'][:, 0], batch['match_uv'] + 2 * stride):
        wrong = multi_view_loss(level, batch | {'match_uv': uv.clamp(0, 63)}, config)
        assert float(wrong) > right + 0.05
    points = matches_of(level, batch, 0).points
    # Bilinear reading of curved descriptors: the coarser the level the less exact.
    assert float((points[0] * points[1]).sum(1).min()) > {4: 0.9999, 8: 0.999, 16: 0.97}[stride]


def test_a_pixel_is_read_at_the_same_place_of_the_image_at_every_level():
    uv = torch.rand(50, 2) * 32 + 16
    for stride in (4, 8, 16, 32):
        cells = torch.arange(128 // stride) * stride + stride / 2 - 0.5
        rows, columns = torch.meshgrid(cells, cells, indexing='ij')
        ramp = torch.stack([columns, rows, torch.ones_like(rows)])
        level = Level(ramp[None], stride)
        read = level.at_pixels(0, uv)  # normalised; the ratio to the constant tells the pixel
        torch.testing.assert_close(read[:, :2] / read[:, 2:], uv, atol=1e-2, rtol=1e-4)
        column, row = level.cells(uv).T
        torch.testing.assert_close(column * stride + stride / 2 - 0.5, uv[:, 0])
        torch.testing.assert_close(row * stride + stride / 2 - 0.5, uv[:, 1])


def test_counts_and_distances_go_with_the_level():
    levels = {s: Level(torch.zeros(2, 4, 64 // s, 64 // s), s) for s in (4, 8, 16, 32)}
    assert [levels[s].share(1024) for s in (4, 8, 16, 32)] == [1024, 256, 64, 16]
    assert [levels[s].share(64) for s in (4, 8, 16, 32)] == [64, 16, FEWEST, FEWEST]
    assert levels[32].share(5) == 5
    config = DenseContrastiveConfig(**ONE_IMAGE, non_match_px=8)
    batch = pair_of_views()
    for stride, level in levels.items():
        matches = matches_of(level, batch, 0)
        assert len(matches.owner) == level.share(128)
        apart = torch.cdist(matches.uv[0], matches.uv[0])
        assert torch.equal(non_matches(matches, config, level.coarseness), apart > 2 * stride)
        assert level.background(torch.zeros(2, 16, 16), [0, 1], 256).shape == (level.share(256), 4)


def test_background_comes_from_cells_without_an_instance_at_every_level():
    for stride in (4, 8, 16):
        side = 64 // stride
        descriptors = torch.zeros(2, 1, side, side)
        descriptors[:, :, :, : side // 2] = 1
        instances = torch.ones(2, 16, 16, dtype=torch.int64)
        instances[:, :, :8] = 0
        drawn = Level(descriptors, stride).background(instances, [0, 1], 100)
        assert (drawn == 1).all()
        assert len(Level(descriptors, stride).background(torch.ones(2, 16, 16), [0, 1], 100)) == 0


def test_points_of_other_objects_are_non_matches_only_where_that_is_asked_for():
    batch = pair_of_views(count=6)
    batch['owner'][:] = torch.tensor([1, 1, 1, -2, -2, 5])
    batch['p_object'][0, :, 0] = torch.tensor([0.0, 0.001, 0.5, 0, 0.5, 0])
    matches = matches_of(perfect(4), batch, 0)
    within = non_matches(matches, DenseContrastiveConfig(), 1)
    assert within.nonzero().tolist() == [[0, 2], [1, 2], [2, 0], [2, 1], [3, 4], [4, 3]]
    between = non_matches(matches, DenseContrastiveConfig(across_instances=0, between_objects=True), 1)
    owner = matches.owner
    assert torch.equal(between, within | (owner[:, None] != owner[None]))


@pytest.mark.parametrize('head', ['contrast', 'predictor', 'box_predictor'])
def test_every_level_is_trained_or_the_finest_alone(head):
    for levels, count in (('finest', 1), ('all', 4)):
        task = objective(**ONE_IMAGE, levels=levels, head=head)
        task.losses(batch_of(task, Drawn(), 3))['total'].backward()
        blocks = [block[0].weight.grad for block in task.network.pyramid.layer_blocks]
        assert [gradient is not None and bool(gradient.any()) for gradient in blocks] == [
            number < count for number in range(4)
        ]
        heads = task.coarse_heads.heads.values() if levels == 'all' else []
        assert len(heads) == count - 1
        assert all(bool(one[-1].weight.grad.any()) for one in heads)


def test_a_run_of_the_network_leaves_no_hook_behind(mugs):
    task = objective(levels='all')
    task.losses(batch_of(task, mugs))
    assert not task.network.pyramid._forward_hooks


def boxes_batch():
    """A pair in which objects 3 and 5 are in both views, 7 in the first alone, and 9 with too few points."""
    owner = torch.tensor([3] * 6 + [5] * 6 + [7] * 6 + [9] * 3 + [0] * 3)
    uv = torch.zeros(24, 2)
    for number, corner in ((3, (8, 8)), (5, (40, 16)), (7, (16, 40)), (9, (40, 40))):
        own = torch.nonzero(owner == number)[:, 0]
        uv[own] = torch.tensor(corner) + torch.rand(len(own), 2) * 10
        uv[own[0]], uv[own[1]] = torch.tensor(corner) + 0.0, torch.tensor(corner) + 11.0
    second = torch.where(owner == 7, 0, owner)
    return {
        'uv': torch.stack([uv, uv.flip(1)])[None],
        'owner': torch.stack([owner, -second])[None],  # negative: its handle is hidden
        'matched': torch.zeros(1, 24, dtype=torch.bool),
    }


def test_a_box_has_the_mean_descriptor_of_its_object_in_both_views():
    descriptors = torch.zeros(2, 4, 16, 16)
    descriptors[0, 0, 2:5, 2:5] = 1  # object 3, at pixels 8 to 19
    descriptors[0, 1, 4:7, 10:13] = 1  # object 5
    descriptors[1, 2, 2:5, 2:5] = 1
    descriptors[1, 3, 10:13, 4:7] = 1
    first, second = box_descriptors(Level(descriptors, 4), boxes_batch(), 0)
    assert first.shape == second.shape == (2, 4)
    for found, axes in ((first, (0, 1)), (second, (2, 3))):
        for row, axis in enumerate(axes):
            # Half a cell at the edge is read between the object and what is around it.
            assert float(found[row, axis]) > 0.75
            assert float(found[row].sum() - found[row, axis]) == 0


@pytest.mark.parametrize('of_boxes', [False, True])
def test_what_is_predicted_gets_no_gradient(of_boxes):
    torch.manual_seed(0)
    head = Prediction(SMALL, 1, of_boxes)
    batch = boxes_batch() if of_boxes else pair_of_views()
    maps = torch.randn(2, 4, 16, 16, requires_grad=True)
    level = Level(F.normalize(maps, dim=1), 4)
    head(level, batch).backward()
    assert bool(maps.grad.any())
    # A predictor that gives a constant lets no gradient through: what is left would be the target's.
    maps.grad = None
    last = head.predictors['stride4'].layers[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.ones_(last.bias)
    head(Level(F.normalize(maps, dim=1), 4), batch).backward()
    assert not maps.grad.any()


def test_a_predictor_that_is_right_costs_minus_one():
    head = Prediction(SMALL, 1, of_boxes=False)
    head.predictors['stride4'] = torch.nn.Identity()
    assert float(head(perfect_in_four(), pair_of_views())) == pytest.approx(-1, abs=1e-3)
    mirrored = Level(perfect_in_four().descriptors.flip(0), 4)
    assert float(head(mirrored, pair_of_views())) > -0.9


def perfect_in_four():
    level = perfect(4)
    return Level(F.normalize(level.descriptors[:, :4], dim=1), 4)


@pytest.mark.parametrize('head', ['contrast', 'predictor', 'box_predictor'])
@pytest.mark.parametrize('contrast', ['nce', 'margin', 'distributional'])
def test_a_batch_without_points_costs_nothing_and_has_a_gradient(head, contrast):
    task = objective(**ONE_IMAGE, sampling='clusters', head=head, contrast=contrast)
    losses = task.losses(batch_of(task, Drawn(depth=False)))
    losses['total'].backward()
    assert float(losses['multi_view'].detach()) == 0
    assert math.isfinite(float(losses['spread']))
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in task.parameters())


def test_the_spread_tells_a_constant_from_descriptors_that_point_everywhere():
    batch = pair_of_views(count=2000)
    torch.manual_seed(0)
    everywhere = Level(F.normalize(torch.randn(2, 16, 64, 64), dim=1), 1)
    assert float(spread(everywhere, batch)) == pytest.approx(1 / 4, rel=0.3)  # bilinear reading, few points
    constant = Level(F.normalize(torch.ones(2, 16, 16, 16), dim=1), 4)
    assert float(spread(constant, batch)) < 1e-6
    flat = everywhere.descriptors.clone()
    flat[:, 5] = 0.1
    assert float(spread(Level(flat, 1), batch)) < 0.5 * float(spread(everywhere, batch))


def test_the_spread_is_measured_on_points_and_not_on_padding():
    batch = pair_of_views(count=200)
    level = Level(F.normalize(torch.ones(2, 4, 16, 16), dim=1).clone(), 4)
    level.descriptors[:, :, 0, 0] = torch.tensor([-1.0, 0, 0, 0])
    batch['uv'][:, :, :100] = 1  # in the cell that differs
    assert float(spread(level, batch)) > 0.1
    batch['owner'][:, :, :100] = 0
    assert float(spread(level, batch)) < 1e-6


def test_items_are_what_the_settings_ask_for(mugs):
    assert type(objective().items(mugs, 0)) is ViewPairs
    assert type(objective(pairs_from='augmentations').items(mugs, 0)) is AugmentedViews
    assert type(objective(**ONE_IMAGE).items(mugs, 0)) is AugmentedPairs
    assert type(objective(**ONE_IMAGE, sampling='image').items(Drawn(), 0)) is AugmentedPairs
    assert type(objective(**NO_LABELS, sampling='clusters').items(mugs, 0)) is ScenePairs
    assert type(objective(**NO_LABELS).items(mugs, 0)) is ViewPairs
    for settings in ({}, {'pairs_from': 'augmentations'}, {**ONE_IMAGE, 'object': 8}):
        with pytest.raises(
            ConfigError, match=r'a Drawn tells no poses .*augmentations; give objective\.object=0'
        ):
            objective(**settings).items(Drawn(), 0)
    with pytest.raises(ConfigError, match='no masks of objects'):
        objective(**ONE_IMAGE).items(Drawn(masks=False), 0)


@pytest.mark.parametrize(
    'settings',
    [
        {'pairs_from': 'augmentations'},
        {'pairs_from': 'augmentations', 'levels': 'all', 'head': 'box_predictor'},
        {**ONE_IMAGE, 'sampling': 'clusters', 'between_objects': True},
        {**ONE_IMAGE, 'sampling': 'image', 'levels': 'all'},
        {'head': 'predictor', 'levels': 'all'},
        {**NO_LABELS, 'sampling': 'clusters', 'between_objects': True},
    ],
)
def test_variants_train_on_mugs(settings, mugs):
    task = objective(**settings)
    losses = task.losses(batch_of(task, mugs))
    losses['total'].backward()
    assert all(math.isfinite(float(value.detach())) for value in losses.values())
    norm = sum(float(p.grad.square().sum()) for p in task.encoder.parameters() if p.grad is not None)
    assert 0 < norm < math.inf


@pytest.mark.parametrize('head', ['contrast', 'predictor'])
def test_training_brings_matches_together(head):
    task = objective(**ONE_IMAGE, sampling='image', head=head)
    batch = batch_of(task, Drawn(), 3)
    optimiser = torch.optim.Adam(task.parameters(), 3e-3)
    values = []
    for step in range(12):
        torch.manual_seed(step)
        losses = task.losses(batch)
        optimiser.zero_grad()
        losses['total'].backward()
        optimiser.step()
        values.append(float(losses['multi_view'].detach()))
    assert values[-1] < values[0] - 0.1


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'contrast': 'triplet'}, r"objective.contrast is 'triplet': expected one of nce, margin"),
        ({'pairs_from': 'video'}, r"objective.pairs_from is 'video'"),
        ({'sampling': 'grid'}, r"objective.sampling is 'grid': expected one of mask, clusters, image"),
        ({'levels': '3'}, r"objective.levels is '3'"),
        ({'head': 'byol'}, r"objective.head is 'byol'"),
        ({'temperature': 0.0}, r'objective.temperature is 0.0: expected more than 0'),
        ({'non_match_px': -1.0}, r'objective.non_match_px is -1.0'),
        ({'axis': -1.0}, r'objective.axis is -1.0: expected a weight'),
        ({'between_objects': True}, r'give objective.across_instances=0'),
        ({'sampling': 'image', 'pairs_from': 'augmentations'}, r'give objective.object=0'),
        ({'sampling': 'clusters', **NO_LABELS, 'head': 'box_predictor'}, r'give objective.sampling=mask'),
    ],
)
def test_settings_that_do_not_fit_are_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        DenseContrastiveConfig(**settings)


def test_the_shipped_configuration_is_the_code_s_defaults():
    path = Path(training.__file__).parent / 'config' / 'objective' / 'dense_contrastive.yaml'
    assert path.read_text().startswith('# @package _global_\n')
    assert yaml.safe_load(path.read_text())['objective'] == asdict(DenseContrastiveConfig())


def test_what_is_kept_is_a_checkpoint_of_the_deployed_network(tmp_path, mugs, caplog):
    task = objective(calibration_images=1).eval()
    for name in ('best', 'last'):
        task.save(tmp_path / f'{name}.safetensors', {'step': 7}, {'ap_20mm_10deg/body': 0.5})
    kept = load_checkpoint(tmp_path / 'last.safetensors')
    assert kept.provenance == {'step': 7}
    assert kept.metrics == {'validation': {'ap_20mm_10deg/body': 0.5}}
    for name, value in task.network.state_dict().items():
        torch.testing.assert_close(kept.model.state_dict()[name], value, atol=1e-3, rtol=1e-3)
    # An untrained network is never right, which fits no confidence: the checkpoints stay.
    before = (tmp_path / 'best.safetensors').read_bytes()
    task.finish(tmp_path, mugs)
    assert caplog.text.count('keeps scores that are no probabilities') == 2
    assert (tmp_path / 'best.safetensors').read_bytes() == before


def test_validation_is_by_the_frames_precision(mugs):
    result = objective().eval().validation(mugs, 2)
    precisions = [value for name, value in result.metrics.items() if name.startswith('ap_20mm_10deg/')]
    assert len(precisions) == 3
    assert result.score == pytest.approx(np.mean(precisions))
    assert sorted(result.pictures) == ['0', '1']
    assert all(picture.dtype == np.uint8 for picture in result.pictures.values())


def test_validation_without_frames_is_by_the_losses():
    task = objective(**ONE_IMAGE).eval()
    result = task.validation(Drawn(), 3)
    assert result.score == -result.metrics['loss/total']
    assert sorted(result.pictures) == ['0', '1', '2']
    assert result.pictures['0'].shape == (96, 2 * 128 + 4, 3)
