import math
import pickle
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from lightly.loss import VICRegLoss
from torch.utils.data import default_collate

import dense_descriptor_ros.training.objectives.object_centric.config as config_module
from dense_descriptor_ros.errors import CheckpointError, ConfigError, DatasetError
from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.training.encoder import input_channels
from dense_descriptor_ros.training.items.multi_crop import MultiCrops, crop_channels, draw_square
from dense_descriptor_ros.training.losses.slot_contrast import ctr, sim
from dense_descriptor_ros.training.objectives.loading import load_objective
from dense_descriptor_ros.training.objectives.object_centric import (
    ObjectCentric,
    ObjectCentricConfig,
)
from dense_descriptor_ros.training.objectives.object_centric.losses import decorrelation, global_loss, spread
from dense_descriptor_ros.training.objectives.saved import load_saved
from dense_descriptor_ros.training.slots.masks import object_iou, slot_labels, slot_shares, stripes
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage

MODEL = ModelConfig(descriptor_dim=4, pyramid_channels=16, head_channels=16, last_stage_channels=32)
TINY = ObjectCentricConfig(
    vit_depth=1,
    token_width=8,
    slot_width=8,
    slots=3,
    iterations=1,
    projection_width=8,
    large_px=64,
    small_px=32,
    small_crops=1,
)
VIT = replace(TINY, backbone='vit')
QUERIES, OBJECT_FUNCTIONS, WIRINGS = (
    config_module.CHOICES[key] for key in ('queries', 'object_function', 'wiring')
)
HEIGHT, WIDTH, F_PX = 72, 96, 80.0


class Boxes(ImageSource):
    """Two boxes in front of a wall, which stands 2 m away; the column and row are in red and green."""

    def __init__(self, count=4):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        instances = np.zeros((HEIGHT, WIDTH), np.int32)
        instances[10:40, 20:40] = 1
        instances[30:60, 50:80] = 2
        v, u = np.mgrid[:HEIGHT, :WIDTH]
        rgb = np.stack([2 * u, 3 * v, 80 * instances + rng.integers(60)], -1).astype(np.uint8)
        depth_m = (2 - 0.5 * instances).astype(np.float32)
        K = np.array([[F_PX, 0, 50], [0, F_PX, 33], [0, 0, 1.0]])
        return LabelledImage(rgb, depth_m, K, instances)


def build(config):
    torch.manual_seed(0)
    return ObjectCentric(config, MODEL)


def batch_of(objective, count=2):
    items = objective.items(Boxes(), seed=0)
    return default_collate([items[position] for position in range(count)])


def channels(count=2, size=64):
    return input_channels(torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize(('queries', 'function', 'wiring'), list(product(QUERIES, OBJECT_FUNCTIONS, WIRINGS)))
def test_every_combination_trains_every_weight(queries, function, wiring):
    objective = build(
        replace(
            TINY,
            queries=queries,
            object_function=function,
            wiring=wiring,
            object_loss='none' if wiring == 'global_only' else 'ctr_img',
            large_px=32,
        )
    )
    losses = objective.losses(batch_of(objective))
    assert all(value.isfinite() for value in losses.values())
    losses['total'].backward()
    for name, parameter in objective.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    weights = [p.grad.abs().max() for p in objective.encoder.parameters() if p.dim() == 4]
    assert len(weights) == 20 and min(weights) > 0  # all convolutions of a ResNet-18


@pytest.mark.parametrize(
    ('global_name', 'object_name'),
    [*product(('none', 'ctr', 'sim'), ('ctr_all', 'ctr_img', 'sim_img')), ('ctr', 'none'), ('sim', 'none')],
)
def test_the_total_is_the_weighted_sum_of_its_terms(global_name, object_name):
    config = replace(VIT, global_loss=global_name, object_loss=object_name, global_weight=0.1, variance=2.0)
    objective = build(config)
    losses = objective.losses(batch_of(objective))
    expected = {'variance', 'covariance'}
    expected |= {'global'} if global_name != 'none' else set()
    expected |= {'object'} if object_name != 'none' else set()
    assert set(losses) == expected | {'total', 'spread', 'slot_spread'}
    weights = {'global': 0.1, 'object': 1.0, 'variance': 2.0, 'covariance': 0.3}
    total = sum(weights[name] * float(losses[name].detach()) for name in expected)
    assert float(losses['total'].detach()) == pytest.approx(total, rel=1e-5)
    losses['total'].backward()
    assert all(p.grad is not None for p in objective.parameters())


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'queries': 'random'}, "objective.queries is 'random'"),
        ({'object_function': 'gru'}, 'objective.object_function'),
        ({'wiring': 'global_only'}, 'no slots'),
        ({'global_loss': 'none', 'object_loss': 'none'}, 'expected one to train with'),
        ({'wiring': 'two_branches', 'object_loss': 'none'}, 'nothing trains the slots'),
        ({'global_head': 'cls'}, 'expected backbone vit'),
        ({'global_head': 'cls', 'backbone': 'vit'}, 'expected backbone vit'),
        ({'slot_width': 6}, 'slot_width is 6: expected a multiple of 4'),
        ({'large_px': 100}, 'large_px is 100: expected a multiple of 32'),
        ({'small_px': 0}, 'small_px is 0'),
        ({'temperature': 0.0}, 'temperature is 0.0: expected more than 0'),
        ({'variance': -1.0}, 'variance is -1.0: expected 0 or more'),
        ({'small_crops': -1}, 'small_crops is -1'),
        ({'small_share_min': 0.7}, 'expected 0 < small <= large <= 1'),
        ({'mirror': 1.5}, 'mirror is 1.5'),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        replace(ObjectCentricConfig(), **changes)


def test_the_configuration_file_has_the_defaults():
    path = Path(config_module.__file__).parents[2] / 'config' / 'objective' / 'object_centric.yaml'
    assert yaml.safe_load(path.read_text())['objective'] == asdict(ObjectCentricConfig())


@pytest.mark.parametrize('function', OBJECT_FUNCTIONS)
@pytest.mark.parametrize(
    ('config', 'cells'), [(TINY, 8), (replace(TINY, stage='stride16'), 4), (replace(VIT, vit_patch_px=4), 16)]
)
def test_masks_share_each_cell_among_the_slots(function, config, cells):
    objective = build(replace(config, object_function=function)).eval()
    with torch.no_grad():
        masks, slots = objective.masks(channels()), objective.slots(channels())
    assert masks.shape == (2, 3, cells, cells)
    assert slots.shape == (2, 3, 8)
    assert (masks >= 0).all()
    assert torch.allclose(masks.sum(1), torch.ones(2, cells, cells), atol=1e-6)


def test_a_wiring_without_slots_says_so():
    objective = build(replace(VIT, wiring='global_only', object_loss='none'))
    for read in (objective.masks, objective.slots):
        with pytest.raises(ConfigError, match='global_only has no'):
            read(channels())
    assert objective.pictures([Boxes()[0]]) == {}


def test_the_vector_of_the_image_comes_from_where_the_wiring_says():
    image = channels()
    over_slots = build(VIT).eval().represent(image)
    assert torch.allclose(over_slots.whole, over_slots.slots.mean(1))
    average = build(replace(VIT, wiring='two_branches')).eval()
    assert torch.allclose(average.represent(image).whole, average.tokens(image).cells.mean(1))
    cls = build(replace(VIT, wiring='two_branches', global_head='cls')).eval()
    assert torch.equal(cls.represent(image).whole, cls.tokens(image).cls)


def test_a_transformer_of_colour_sees_no_depth():
    image = channels()
    deeper = image.clone()
    deeper[:, 3:] += 1
    for count, same in ((3, True), (9, False)):
        objective = build(replace(VIT, vit_channels=count)).eval()
        assert torch.equal(objective.tokens(image).cells, objective.tokens(deeper).cells) == same
    of_colour = build(replace(VIT, vit_channels=3)).eval()
    assert torch.equal(of_colour.tokens(image[:, :3]).cells, of_colour.tokens(image).cells)


def test_descriptors_of_a_transformer_are_unit_vectors_at_stride_4_in_place():
    objective = build(VIT).eval()
    descriptors = objective.descriptors(channels())
    assert descriptors.shape == (2, 8, 16, 16)
    assert torch.allclose(descriptors.norm(dim=1), torch.ones(2, 16, 16), atol=1e-5)
    # A corner cell lies beyond the centre of its token: nothing but that token is interpolated there.
    cells = objective.tokens(channels()).cells
    assert torch.allclose(descriptors[:, :, 0, -1], F.normalize(cells[:, 7], dim=1), atol=1e-5)
    assert torch.allclose(descriptors[:, :, -1, 0], F.normalize(cells[:, 56], dim=1), atol=1e-5)


def test_global_loss_compares_every_crop_with_the_large_ones():
    generator = torch.Generator().manual_seed(0)
    large, small = (torch.randn(3, n, 5, generator=generator) for n in (2, 4))
    pairs = [(large[:, 0], large[:, 1]), (large[:, 1], large[:, 0])]
    pairs += [(small[:, k], large[:, j]) for k in range(4) for j in range(2)]
    for name, loss in (('ctr', lambda a, b: ctr(a, b, 0.1)), ('sim', sim)):
        expected = sum(float(loss(a, b)) for a, b in pairs) / 10
        assert float(global_loss(name, large, small, 0.1)) == pytest.approx(expected, rel=1e-5)
        expected = sum(float(loss(a, b)) for a, b in pairs[:2]) / 2
        assert float(global_loss(name, large, None, 0.1)) == pytest.approx(expected, rel=1e-5)


def test_small_crops_are_no_targets():
    large, small = torch.randn(3, 2, 5), torch.randn(3, 1, 5)
    large, small = large.requires_grad_(), small.requires_grad_()
    global_loss('sim', large, small, 0.1).backward()
    alone = large.detach().clone().requires_grad_()
    (global_loss('sim', alone, None, 0.1) / 2).backward()  # 2 of 4 pairs
    assert torch.allclose(large.grad, alone.grad, atol=1e-7)
    assert small.grad.abs().min() > 0


def test_decorrelation_equals_the_terms_of_vicreg():
    a, b = torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(0)).unbind(0)
    terms = decorrelation([a, b])
    assert float(terms['variance']) == pytest.approx(float(VICRegLoss(0, 1, 0)(a, b)), abs=1e-6)
    # VICReg adds the views' covariance terms up.
    assert float(terms['covariance']) == pytest.approx(float(VICRegLoss(0, 0, 1)(a, b)) / 2, abs=1e-6)


def test_spread_tells_a_collapse():
    vectors = torch.randn(2, 4000, 16, generator=torch.Generator().manual_seed(0))
    assert float(spread(vectors)) == pytest.approx(1 / 4, rel=0.02)
    assert float(spread(vectors[:, :1].expand(-1, 50, -1))) == pytest.approx(0, abs=1e-6)


def test_a_batch_of_one_image_is_finite():
    objective = build(VIT)
    losses = objective.losses(batch_of(objective, 1))
    losses['total'].backward()
    assert all(value.isfinite() for value in losses.values())
    assert all(p.grad.isfinite().all() for p in objective.parameters())


def test_equal_images_cost_what_a_collapse_costs():
    objective = build(replace(VIT, object_loss='ctr_img', small_crops=0)).eval()
    with torch.no_grad():
        objective.queries.slots.copy_(objective.queries.slots[:1].expand(3, -1))
        batch = batch_of(objective, 2)
        batch = {key: value[:1, :1].expand_as(value) for key, value in batch.items()}
        losses = objective.losses(batch)
    assert float(losses['global']) == pytest.approx(math.log(2 * 2 - 1), rel=1e-5)
    assert float(losses['object']) == pytest.approx(math.log(2 * 3 - 1), rel=1e-4)
    assert float(losses['spread']) == pytest.approx(0, abs=1e-5)
    assert float(losses['slot_spread']) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize('config', [TINY, VIT])
def test_losses_are_in_float32_under_autocast(config):
    objective = build(replace(config, queries='kmeans'))
    with torch.autocast('cpu', torch.bfloat16):
        losses = objective.losses(batch_of(objective))
    losses['total'].backward()
    assert all(value.dtype == torch.float32 and value.isfinite() for value in losses.values())


@pytest.mark.parametrize('queries', ['sample', 'kmeans'])
def test_a_seed_repeats_the_losses(queries):
    objective = build(replace(VIT, queries=queries, slots=5)).eval()
    batch = batch_of(objective)
    totals = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        totals.append(float(objective.losses(batch)['total'].detach()))
    assert totals[0] == totals[1] != totals[2]


def test_training_tells_images_apart():
    objective = build(replace(VIT, variance=0.0, covariance=0.0))
    batch = batch_of(objective, 4)
    optimiser = torch.optim.AdamW(objective.parameters(), 3e-3)
    history = []
    for _ in range(40):
        losses = objective.losses(batch)
        optimiser.zero_grad()
        losses['total'].backward()
        optimiser.step()
        history.append(float(losses['global'].detach()))
    assert history[-1] < 0.7 * history[0]


def test_what_is_saved_gives_the_same_masks(tmp_path):
    objective = build(replace(TINY, object_function='co_attention')).eval()
    objective.save(tmp_path / 'best.safetensors', {'step': 3}, {'loss': 1.0})
    saved = load_saved(tmp_path / 'best.safetensors')
    assert (saved.provenance, saved.metrics) == ({'step': 3}, {'loss': 1.0})
    loaded = load_objective(tmp_path / 'best.safetensors')
    with torch.no_grad():
        assert torch.equal(loaded.masks(channels()), objective.masks(channels()))
        assert torch.equal(saved.encoder().hypercolumns(channels()), objective.descriptors(channels()))


def test_a_saved_transformer_is_the_whole_network(tmp_path):
    objective = build(VIT).eval()
    objective.save(tmp_path / 'best.safetensors', {}, {})
    assert [path.name for path in tmp_path.iterdir()] == ['best.safetensors']
    loaded = load_objective(tmp_path / 'best.safetensors')
    assert loaded.config == VIT
    with pytest.raises(CheckpointError, match='without the common encoder'):
        load_saved(tmp_path / 'best.safetensors').encoder()
    with torch.no_grad():
        assert torch.equal(loaded.descriptors(channels()), objective.descriptors(channels()))


def test_files_that_hold_something_else_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match='not a readable'):
        load_objective(tmp_path / 'missing.safetensors')


def test_items_have_the_crops_that_are_wanted():
    item = build(VIT).items(Boxes(), seed=0)[0]
    assert {key: tuple(value.shape) for key, value in item.items()} == {
        'large_rgb': (2, 3, 64, 64),
        'large_depth_m': (2, 64, 64),
        'large_K': (2, 3, 3),
        'small_rgb': (1, 3, 32, 32),
        'small_depth_m': (1, 32, 32),
        'small_K': (1, 3, 3),
    }
    without = build(replace(VIT, global_loss='none')).items(Boxes(), seed=0)[0]
    assert set(without) == {'large_rgb', 'large_depth_m', 'large_K'}


def test_an_item_is_repeated_and_each_epoch_is_another():
    items = pickle.loads(pickle.dumps(MultiCrops(Boxes(), VIT.crops, seed=5)))
    first, again, next_epoch = items[1], items[1], items[1 + len(items)]
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first['large_rgb'], next_epoch['large_rgb'])
    assert not torch.equal(first['large_rgb'][0], first['large_rgb'][1])
    assert not torch.equal(first['large_rgb'], MultiCrops(Boxes(), VIT.crops, seed=6)[1]['large_rgb'])


def test_a_source_without_images_is_refused():
    with pytest.raises(DatasetError, match='no images'):
        build(VIT).items(Boxes(0), seed=0)


def test_squares_have_their_share_and_lie_in_the_image():
    rng = np.random.default_rng(0)
    squares = [draw_square(Boxes()[0], 64, (0.6, 1.0), 0.5, rng) for _ in range(300)]
    shares = np.array([square.side**2 / HEIGHT**2 for square in squares])
    assert 0.59 < shares.min() < 0.63 and 0.97 < shares.max() <= 1
    assert shares.mean() == pytest.approx(0.8, abs=0.02)
    assert all(0 <= s.left <= WIDTH - s.side and 0 <= s.top <= HEIGHT - s.side for s in squares)
    assert 0.4 < np.mean([square.mirrored for square in squares]) < 0.6


def test_crops_have_the_cameras_that_see_them():
    # Augmentation leaves holes in depth, and what is left as it was: so K alone can take it to its place.
    item = MultiCrops(Boxes(), VIT.crops, seed=0)[0]
    wall_and_boxes = Boxes()[0].depth_m
    for depth_m, K in zip(item['large_depth_m'].numpy(), item['large_K'].numpy(), strict=True):
        v, u = np.nonzero(depth_m)
        x, y = (u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1]
        errors = []
        for sign in (1, -1):
            was_u = np.rint(sign * x * F_PX + 50).astype(int).clip(0, WIDTH - 1)
            was_v = np.rint(y * F_PX + 33).astype(int).clip(0, HEIGHT - 1)
            errors.append((wall_and_boxes[was_v, was_u] != depth_m[v, u]).mean())
        assert min(errors) < 0.03 < 0.1 < max(errors)


def test_a_batch_is_seen_with_its_depth():
    objective = build(VIT)
    batch = batch_of(objective)
    seen = crop_channels(batch, 'large')
    assert seen.shape == (4, 9, 64, 64)
    valid = (batch['large_depth_m'].flatten(0, 1) > 0).float()
    assert torch.equal(seen[:, 7], valid)
    assert 0 < float(valid.mean()) <= 1


def test_shares_of_a_token_that_no_slot_looked_at_are_equal():
    shares = slot_shares(torch.tensor([[[0.0, 0.3], [0.0, 0.1]]]))
    assert torch.allclose(shares, torch.tensor([[[0.5, 0.75], [0.5, 0.25]]]))


def test_object_iou_gives_each_object_its_own_slot():
    instances = np.zeros((4, 8), np.int32)
    instances[:2, :4], instances[2:, :4] = 1, 2  # 8 pixels each, beside as much background
    perfect = np.where(instances > 0, instances, 5)
    assert object_iou(perfect, instances) == [1.0, 1.0]
    # One slot on everything: one object has it, the other none.
    assert sorted(object_iou(np.zeros((4, 8), int), instances)) == [0.0, 8 / 32]
    # Stripes: a half of each slot's 8 pixels and of each object's 8.
    assert object_iou(stripes(4, 8, 4), instances) == pytest.approx([4 / 12, 4 / 12])
    assert object_iou(perfect, np.zeros((4, 8), np.int32)) == []


def test_stripes_have_one_width():
    labels = stripes(2, 12, 3)
    assert labels.shape == (2, 12)
    assert np.bincount(labels[0]).tolist() == [4, 4, 4]


def test_labels_are_the_slot_that_has_most():
    masks = torch.tensor([[[[0.9, 0.2]], [[0.1, 0.8]]]])
    assert slot_labels(masks, 2, 4)[0].tolist() == [[0, 0, 1, 1]] * 2


def test_validation_measures_objects_and_draws_slots():
    objective = build(TINY).eval()
    before = {key: value.clone() for key, value in objective.state_dict().items()}
    result = objective.validation(Boxes(), 2)
    assert result.score == -result.metrics['loss/total']
    assert 0 <= result.metrics['iou/slots'] <= 1
    labels = [objective.middle(Boxes()[k]).instances for k in range(2)]
    expected = np.mean([value for image in labels for value in object_iou(stripes(64, 64, 3), image)])
    assert result.metrics['iou/stripes'] == pytest.approx(expected)
    assert result.pictures['slots'].shape == (2 * 64, 4 * 64, 3)
    assert all(torch.equal(before[key], value) for key, value in objective.state_dict().items())
