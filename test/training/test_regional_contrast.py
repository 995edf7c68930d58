import pickle
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from tiny_bop import write_tiny_bop
from torch.utils.data import default_collate

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.geometry import back_project, pixel_grid
from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.encoder import input_channels
from dense_descriptor_ros.training.items.labelled_crops import LabelledCrops
from dense_descriptor_ros.training.networks.semantic_fpn import SemanticFPN
from dense_descriptor_ros.training.objectives.loading import load_objective
from dense_descriptor_ros.training.objectives.regional_contrast import (
    RegionalContrast,
    RegionalContrastConfig,
    balanced_draw,
    confusion,
    intersection_over_union,
    segmentation_loss,
)
from dense_descriptor_ros.training.report.class_colours import class_colours, paint_classes
from dense_descriptor_ros.training.sources.bop import BopImages
from dense_descriptor_ros.training.sources.image import (
    IGNORE,
    ImageSource,
    LabelledImage,
    guessed_intrinsics,
)

TINY = ModelConfig(descriptor_dim=4, pyramid_channels=16, head_channels=16, last_stage_channels=32)
CONFIG = RegionalContrastConfig(samples=64, embedding=8, width=16, size=64)
STILL = AugmentationConfig(
    roll_deg=0, mirror=0, recolour=0, jitter=0, grey=0, blur=0, noise=0, depth_holes=0, depth_missing=0,
    zoom_min=1, zoom_max=1,
)  # fmt: skip
CONFIGS = Path(__file__).parents[2] / 'training' / 'config'


class Pictures(ImageSource):
    """Images whose class, colour and depth all follow from the column, so that each tells the others."""

    def __init__(self, count=3, names=('left', 'middle', 'right', 'edge'), labelled=True):
        self.count, self.class_names, self.labelled = count, names, labelled

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        classes = np.repeat(np.arange(128, dtype=np.uint8)[None] // 32, 96, 0)
        rgb = np.repeat(classes[..., None] * 60 + 40, 3, -1).astype(np.uint8)
        depth_m = 1 + classes.astype(np.float32)
        return LabelledImage(
            rgb, depth_m, guessed_intrinsics(96, 128), classes=classes if self.labelled else None
        )


def build(config=CONFIG, augmentation=None):
    torch.manual_seed(0)
    return RegionalContrast(config, TINY, augmentation or AugmentationConfig())


def batch_of(objective, source, count=2):
    items = objective.items(source, seed=0)
    return default_collate([items[k] for k in range(count)])


@pytest.fixture(scope='module')
def mugs(tmp_path_factory):
    return BopImages(open_bop(write_tiny_bop(tmp_path_factory.mktemp('tiny')), 'test'), load_category('mug'))


@pytest.mark.parametrize('contrast', ['nce', 'reco'])
def test_the_total_is_the_weighted_sum_and_reaches_every_parameter(mugs, contrast):
    objective = build(replace(CONFIG, contrast=contrast))
    losses = objective.losses(batch_of(objective, mugs))
    parts = losses['segmentation'] + 0.4 * losses['auxiliary'] + 0.3 * losses['regional']
    assert float(losses['total'].detach()) == pytest.approx(float(parts.detach()), rel=1e-6)
    assert float(losses['regional'].detach()) > 0
    losses['total'].backward()
    for name, parameter in objective.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_contrast_trains_the_projection_and_not_the_class_head(mugs):
    objective = build(replace(CONFIG, contrast='reco'))
    objective.losses(batch_of(objective, mugs))['regional'].backward()
    assert objective.projection[0].weight.grad.abs().sum() > 0
    assert objective.class_head.weight.grad is None
    assert all(p.grad is None for p in objective.auxiliary_head.parameters())


def test_the_bank_fills_while_training_alone(mugs):
    objective = build()
    batch = batch_of(objective, mugs)
    objective.eval()
    objective.losses(batch)
    assert len(objective.bank.contents()[0]) == 0
    objective.train()
    for count in (64, 128, 192, 192):
        objective.losses(batch)
        keys, labels = objective.bank.contents()
        assert len(keys) == count
        assert torch.allclose(keys.norm(dim=1), torch.ones(count), atol=1e-5)
        assert set(labels.tolist()) <= set(range(4))


def test_a_resumed_objective_has_the_losses_of_the_unbroken_one(mugs):
    whole = build()
    batch = batch_of(whole, mugs)
    for _ in range(2):
        whole.losses(batch)
    resumed = build()
    resumed.load_state_dict(whole.state_dict())
    found = []
    for objective in (whole, resumed):
        torch.manual_seed(7)
        found.append({name: float(value.detach()) for name, value in objective.losses(batch).items()})
    assert found[0] == found[1]


def test_contrast_is_in_single_precision_under_autocast(mugs):
    objective = build()
    batch = batch_of(objective, mugs)
    with torch.autocast('cpu', torch.bfloat16):
        losses = objective.losses(batch)
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert objective.bank.keys.dtype == torch.float32
    norms = objective.bank.contents()[0].norm(dim=1)
    assert torch.allclose(norms, torch.ones(len(norms)), atol=1e-6)


@pytest.mark.parametrize('contrast', ['nce', 'reco'])
@pytest.mark.parametrize('label', [1, IGNORE])
def test_a_batch_of_one_class_or_of_none_stays_finite(mugs, contrast, label):
    objective = build(replace(CONFIG, contrast=contrast))
    batch = batch_of(objective, mugs)
    batch['classes'][:] = label
    losses = objective.losses(batch)
    assert float(losses['regional'].detach()) == 0
    assert (float(losses['segmentation'].detach()) == 0) == (label == IGNORE)
    losses['total'].backward()
    assert all(p.grad.isfinite().all() for p in objective.parameters())


def test_one_class_is_contrasted_with_what_the_bank_remembers(mugs):
    objective = build()
    batch = batch_of(objective, mugs)
    for label, contrasted in ((1, False), (2, True)):
        batch['classes'][:] = label
        assert (float(objective.losses(batch)['regional'].detach()) > 0) == contrasted


def test_pixels_without_a_class_do_not_count():
    logits = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    classes = torch.randint(0, 3, (1, 4, 4), generator=torch.Generator().manual_seed(1))
    classes[0, :2] = IGNORE
    expected = F.cross_entropy(logits[:, :, 2:], classes[:, 2:])
    assert float(segmentation_loss(logits, classes)) == pytest.approx(float(expected), rel=1e-6)


def test_fitting_one_batch_separates_its_classes():
    objective = build(augmentation=STILL)
    batch = batch_of(objective, Pictures())
    optimiser = torch.optim.AdamW(objective.parameters(), 3e-3)
    history = []
    for step in range(25):
        torch.manual_seed(step)
        losses = objective.losses(batch)
        optimiser.zero_grad()
        losses['total'].backward()
        optimiser.step()
        history.append({name: float(value.detach()) for name, value in losses.items()})
    for name in ('segmentation', 'auxiliary', 'regional'):
        assert history[-1][name] < 0.5 * history[0][name], name


def test_a_crop_keeps_colour_depth_classes_and_camera_together():
    source = Pictures()
    crops = LabelledCrops(
        source, 4, 64, replace(STILL, roll_deg=40, mirror=0.5, zoom_min=0.6, zoom_max=1.5), 0
    )
    seen, mirrored = set(), set()
    for position in range(12):
        item = crops[position]
        classes, rgb, depth_m = item['classes'].numpy(), item['rgb'].numpy()[0], item['depth_m'].numpy()
        inside = (classes != IGNORE) & (depth_m > 0)
        assert (depth_m[inside] == 1 + classes[inside]).all()
        # Colour is interpolated: it may differ beside a border between classes alone.
        assert np.mean(rgb[inside] == classes[inside] * 60 + 40) > 0.85
        seen |= set(classes[inside].tolist())
        v, u = np.argwhere(inside).T
        points = back_project(item['K'].numpy().astype(float), np.stack([u, v], 1), depth_m[inside])
        # A virtual camera is turned about z: the distance to its axis is what the real camera measures.
        real = source[0]
        grid = back_project(real.K, pixel_grid(96, 128).reshape(-1, 2), real.depth_m.ravel())
        for label in np.unique(classes[inside]):
            furthest = np.hypot(*grid[grid[:, 2] == 1 + label, :2].T).max()
            assert np.hypot(*points[points[:, 2] == 1 + label, :2].T).max() < furthest * 1.03
        mirrored.add(float(np.sign(np.cov(u, classes[inside])[0, 1])))
    assert seen == {0, 1, 2, 3}
    assert mirrored >= {-1, 1}  # 0 where a crop shows one class


def test_outside_the_image_is_no_class():
    crops = LabelledCrops(Pictures(), 4, 160, STILL, 0)
    item = crops[0]
    outside = item['depth_m'] == 0
    assert outside.any()
    assert torch.equal(item['classes'] == IGNORE, outside)


def test_an_item_repeats_itself_and_another_epoch_differs(mugs):
    crops, again = (build().items(mugs, seed=3) for _ in range(2))
    again = pickle.loads(pickle.dumps(again))
    for name, value in crops[1].items():
        assert torch.equal(value, again[1][name])
    assert not torch.equal(crops[1]['rgb'], crops[1 + len(crops)]['rgb'])
    assert not torch.equal(crops[1]['rgb'], build().items(mugs, seed=4)[1]['rgb'])
    shapes = {name: (tuple(value.shape), value.dtype) for name, value in crops[1].items()}
    assert shapes == {
        'rgb': ((3, 64, 64), torch.uint8),
        'depth_m': ((64, 64), torch.float32),
        'K': ((3, 3), torch.float32),
        'classes': ((64, 64), torch.int64),
    }


def test_a_rare_class_is_cropped_far_more_often_than_by_chance():
    classes = np.zeros((400, 400), np.uint8)
    classes[300:306, 50:56] = 1
    image = LabelledImage(
        np.zeros((400, 400, 3), np.uint8),
        np.ones((400, 400), np.float32),
        guessed_intrinsics(400, 400),
        classes=classes,
    )
    shares = []
    for anywhere in (0, 1):
        crops = LabelledCrops([image], 2, 64, replace(STILL, anywhere=anywhere), 0)
        shares.append(np.mean([bool((crops[k]['classes'] == 1).any()) for k in range(60)]))
    assert shares[0] > 0.4
    assert shares[1] < 0.15


@pytest.mark.parametrize(
    ('source', 'error', 'message'),
    [
        (Pictures(names=()), ConfigError, 'needs labelled data'),
        (Pictures(names=('a', 'b')), ConfigError, 'set objective.classes=2'),
        (Pictures(count=0), DatasetError, 'no image'),
    ],
)
def test_a_source_that_does_not_fit_is_refused(source, error, message):
    with pytest.raises(error, match=message):
        build().items(source, seed=0)


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(DatasetError, match=r'class 3: expected 0 to 1'):
        LabelledCrops(Pictures(), 2, 64, STILL, 0)[0]
    with pytest.raises(DatasetError, match='image 1 has no classes'):
        LabelledCrops(Pictures(labelled=False), 4, 64, STILL, 0)[4]


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'contrast': 'triplet'}, 'objective.contrast'),
        ({'classes': 1}, 'objective.classes'),
        ({'classes': 256}, 'objective.classes'),
        ({'size': 100}, 'multiple of 32'),
        ({'nce_temperature': 0.0}, 'objective.nce_temperature'),
        ({'samples': 0}, 'objective.samples'),
        ({'bank': -1}, 'objective.bank'),
        ({'regional': -0.1}, 'objective.regional'),
    ],
)
def test_settings_out_of_range_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        replace(CONFIG, **values)


def test_the_yaml_has_every_key_and_its_default():
    values = yaml.safe_load((CONFIGS / 'objective' / 'regional_contrast.yaml').read_text())
    assert values['objective'] == asdict(RegionalContrastConfig())


def test_descriptors_are_unit_at_stride_4_whatever_stands_beside(mugs):
    objective = build().eval()
    batch = batch_of(objective, mugs)
    channels = input_channels(batch['rgb'], batch['depth_m'], batch['K'])
    with torch.no_grad():
        descriptors = objective.descriptors(channels)
        alone = objective.descriptors(channels[:1])
    assert descriptors.shape == (2, 8, 16, 16)
    assert torch.allclose(descriptors.norm(dim=1), torch.ones(2, 16, 16), atol=1e-5)
    assert torch.allclose(alone[0], descriptors[0], atol=1e-4)


def test_the_pyramid_sees_all_four_stages():
    torch.manual_seed(0)
    pyramid = SemanticFPN([8, 16, 24, 32], 12)
    stages = {
        f'stride{4 * 2**k}': torch.randn(2, 8 * (k + 1), 16 >> k, 24 >> k).requires_grad_() for k in range(4)
    }
    features = pyramid(stages)
    assert features.shape == (2, 12, 16, 24)
    features.square().sum().backward()
    assert all(stage.grad.abs().sum() > 0 for stage in stages.values())


def test_validation_scores_whole_images_and_changes_nothing(mugs):
    objective = build().eval()
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    found = objective.validation(mugs, 2)
    assert all(torch.equal(before[name], value) for name, value in objective.state_dict().items())
    assert {'loss/total', 'iou/background', 'iou/mean'} <= set(found.metrics)
    assert found.score == found.metrics['iou/mean']
    assert 0 <= found.score <= 1
    assert found.pictures['classes/0'].shape == (120, 2 * 160 + 4, 3)


def test_a_perfect_segmentation_has_an_intersection_over_union_of_1_and_a_known_one_its_own():
    truth = np.array([[0, 0, 1], [1, 2, IGNORE]], np.uint8)
    assert intersection_over_union(confusion(truth, np.where(truth == IGNORE, 0, truth), 4)) == {
        0: 1,
        1: 1,
        2: 1,
    }
    predicted = np.array([[0, 1, 1], [1, 1, 0]], np.uint8)
    assert intersection_over_union(confusion(truth, predicted, 4)) == {0: 0.5, 1: 0.5, 2: 0}


def test_the_draw_is_balanced_and_takes_no_pixel_twice():
    labels = torch.tensor([0] * 5000 + [1] * 300 + [2] * 40)
    torch.manual_seed(0)
    pick = balanced_draw(labels, 300)
    assert len(pick.unique()) == 300
    counts = torch.bincount(labels[pick])
    assert counts[2] >= 25
    assert counts[1] > 80
    assert torch.equal(balanced_draw(labels, 10_000), torch.arange(5340))


def test_classes_have_colours_that_differ_and_ignored_pixels_go_dark():
    colours = class_colours()[:20].astype(int)
    apart = np.abs(colours[:, None] - colours[None]).sum(-1) + 1000 * np.eye(20, dtype=int)
    assert apart.min() > 20
    rgb = np.full((1, 2, 3), 100, np.uint8)
    painted = paint_classes(rgb, np.array([[3, IGNORE]], np.uint8))
    assert painted[0, 1].tolist() == [50, 50, 50]
    assert painted[0, 0].tolist() == np.rint(50 + colours[3] / 2).astype(int).tolist()


def test_an_image_without_classes_is_pictured_alone():
    objective = build().eval()
    source = Pictures(labelled=False)
    assert objective.pictures([source[0]])['classes/0'].shape == (96, 128, 3)


def test_what_is_saved_gives_the_same_embeddings(tmp_path):
    objective = build().eval()
    objective.save(tmp_path / 'best.safetensors', {'steps': 1}, {'val': 0.5})
    loaded = load_objective(tmp_path / 'best.safetensors')
    channels = input_channels(torch.rand(1, 3, 64, 64))
    with torch.no_grad():
        assert torch.equal(loaded.descriptors(channels), objective.descriptors(channels))
