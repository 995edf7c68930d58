import math
import runpy
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.checkpoint import Checkpoint, save_checkpoint
from dense_descriptor_ros.errors import CheckpointError, ConfigError, DatasetError, InputError
from dense_descriptor_ros.files import write_image
from dense_descriptor_ros.model import DescriptorNet, ModelConfig
from dense_descriptor_ros.training import propagation
from dense_descriptor_ros.training.image_descriptors import descriptor_reader
from dense_descriptor_ros.training.objectives.setcon import SetCon, SetConConfig
from dense_descriptor_ros.training.propagate import (
    PropagateConfig,
    covered,
    image_files,
    mark_cells,
    read_config,
    run,
    value_map,
)
from dense_descriptor_ros.training.propagation import propagate

ROOT = Path(__file__).parents[2]
TINY = ModelConfig(descriptor_dim=4, pyramid_channels=16, head_channels=16, last_stage_channels=32)
MARKED = PropagateConfig(
    Path('c'), Path('r'), [[0, 0, 8, 8, 1.0], [16, 16, 32, 32, 3.0]], Path('i'), Path('o')
)


def normal(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def naive(embeddings, reference, values, temperature):
    result = torch.zeros(embeddings.shape[1:])
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            w = [
                math.exp(float(F.cosine_similarity(embeddings[:, i, j], r, dim=0)) / temperature)
                for r in reference
            ]
            result[i, j] = sum(a * float(c) for a, c in zip(w, values, strict=True)) / sum(w)
    return result


@pytest.mark.parametrize('at_once', [7, 2048])
def test_propagation_is_the_weighted_mean_of_a_loop(at_once, monkeypatch):
    monkeypatch.setattr(propagation, 'CELLS_AT_ONCE', at_once)
    embeddings, reference, values = normal(6, 4, 5, seed=0), normal(9, 6, seed=1), normal(9, seed=2)
    found = propagate(embeddings, reference, values, 0.2)
    assert torch.allclose(found, naive(embeddings, reference, values, 0.2), atol=1e-5)


def test_channels_are_propagated_by_themselves():
    embeddings, reference, values = normal(6, 4, 5, seed=0), normal(9, 6, seed=1), normal(9, 3, seed=2)
    found = propagate(embeddings, reference, values, 0.2)
    assert found.shape == (4, 5, 3)
    for channel in range(3):
        assert torch.allclose(found[..., channel], propagate(embeddings, reference, values[:, channel], 0.2))


@pytest.mark.parametrize('seed', range(20))
def test_constants_stay_and_nothing_leaves_the_range(seed):
    rng = np.random.default_rng(seed)
    count, temperature = int(rng.integers(1, 300)), float(10 ** rng.uniform(-4, 2))
    embeddings, reference = (
        10 ** rng.uniform(-3, 3) * normal(8, 6, 7, seed=seed),
        normal(count, 8, seed=seed + 50),
    )
    constant = float(rng.normal(scale=1000))
    same = propagate(embeddings, reference, torch.full((count,), constant), temperature)
    assert (same == torch.tensor(constant)).all()
    values = 1000 * normal(count, 2, seed=seed + 99)
    found = propagate(embeddings, reference, values, temperature)
    assert (found >= values.amin(0)).all()
    assert (found <= values.amax(0)).all()
    assert torch.allclose(
        propagate(embeddings, reference, 2 * values + 5, temperature), 2 * found + 5, atol=0.01
    )


def test_temperature_goes_from_the_nearest_to_the_mean():
    embeddings, reference, values = normal(6, 4, 5, seed=0), normal(9, 6, seed=1), normal(9, seed=2)
    cosine = F.normalize(reference, dim=1) @ F.normalize(embeddings.flatten(1), dim=0)
    cold = propagate(embeddings, reference, values, 1e-5)
    assert torch.allclose(cold.flatten(), values[cosine.argmax(0)], atol=1e-4)
    assert torch.allclose(propagate(embeddings, reference, values, 1e6), values.mean(), atol=1e-4)


def test_an_embedding_of_zeros_takes_the_mean():
    found = propagate(torch.zeros(6, 2, 2), normal(4, 6, seed=0), torch.arange(4.0), 0.05)
    assert torch.allclose(found, torch.full((2, 2), 1.5))


def test_marks_are_the_cells_whose_middle_a_patch_covers():
    marks = mark_cells(MARKED, (48, 64), (12, 16))
    assert (marks[:2, :2] == 1).all()
    assert (marks[4:8, 4:8] == 3).all()
    assert np.isnan(marks).sum() == 12 * 16 - 4 - 16


def test_a_patch_between_the_middles_marks_the_cell_it_is_in():
    assert covered(0, 64, 64, 16) == slice(0, 16)
    assert covered(2, 6, 64, 16) == slice(0, 1)
    assert covered(2.1, 5.9, 64, 16) == slice(1, 2)
    assert covered(63, 64, 64, 16) == slice(15, 16)
    assert covered(0, 0.5, 64, 16) == slice(0, 1)


def test_a_later_patch_lies_over_an_earlier_one():
    over = replace(MARKED, patches=[[0, 0, 16, 16, 1.0], [8, 0, 16, 16, 2.0]])
    marks = mark_cells(over, (48, 64), (12, 16))
    assert (marks[:4, :2] == 1).all()
    assert (marks[:4, 2:4] == 2).all()


def test_the_background_weighs_as_much_as_the_patches():
    marks = mark_cells(replace(MARKED, background=0), (48, 64), (12, 16))
    assert (marks == 0).sum() == 20
    assert (marks > 0).sum() == 20
    rows, columns = np.nonzero(marks == 0)
    assert rows.min() == 0 and rows.max() == 11
    assert len(set(columns)) > 8
    everything = replace(MARKED, patches=[[0, 0, 64, 48, 1.0]], background=0)
    assert (mark_cells(everything, (48, 64), (12, 16)) == 1).all()


def test_a_patch_outside_the_image_is_refused():
    with pytest.raises(InputError, match='64x48'):
        mark_cells(replace(MARKED, patches=[[0, 0, 65, 8, 1.0]], background=0), (48, 64), (12, 16))


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'patches': [[0, 0, 8, 8, 1.0]]}, 'background=VALUE'),
        ({'patches': []}, 'background=VALUE'),
        ({'patches': [[8, 0, 8, 8, 1.0]], 'background': 0}, 'u0 < u1'),
        ({'patches': [[0, 0, 8, 8]], 'background': 0}, r'\[u0,v0,u1,v1,value\]'),
        ({'patches': [0, 0, 8, 8, 1], 'background': 0}, r'\[u0,v0,u1,v1,value\]'),
        ({'patches': [[0, 0, 8, 8, 'grass']], 'background': 0}, r'\[u0,v0,u1,v1,value\]'),
        ({'patches': [[0, 0, 8, 8, math.nan]], 'background': 0}, r'\[u0,v0,u1,v1,value\]'),
        ({'kind': 'label', 'background': 0.5}, 'whole numbers'),
        ({'kind': 'label', 'background': -1}, 'whole numbers'),
        ({'kind': 'classes'}, "kind is 'classes'"),
        ({'temperature': 0.0}, 'temperature'),
    ],
)
def test_settings_out_of_range_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        replace(MARKED, **values)


def test_maps_of_costs_are_means_and_maps_of_labels_are_the_likeliest():
    shares = np.array([[[1, 0], [0.6, 0.4]], [[0.3, 0.7], [0, 1]]], np.float32)
    costs = value_map(MARKED, shares, (2, 2))
    assert np.allclose(costs, [[1, 1.8], [2.4, 3]])
    labels = value_map(replace(MARKED, kind='label'), shares, (2, 2))
    assert labels.tolist() == [[1, 1], [3, 3]]
    assert labels.dtype == np.uint16


def test_an_image_or_a_folder_of_images(tmp_path):
    for name in ('b.png', 'a.jpg'):
        write_image(tmp_path / name, np.zeros((4, 4, 3), np.uint8))
    (tmp_path / 'notes.txt').write_text('no image')
    assert [path.name for path in image_files(tmp_path)] == ['a.jpg', 'b.png']
    assert image_files(tmp_path / 'b.png') == [tmp_path / 'b.png']
    write_image(tmp_path / 'a.png', np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(InputError, match='suffix alone'):
        image_files(tmp_path)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(InputError, match='no image'):
        image_files(tmp_path / 'empty')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Two pictures of red and blue halves, and a checkpoint of either kind."""
    folder = tmp_path_factory.mktemp('propagate')
    torch.manual_seed(0)
    objective = SetCon(SetConConfig(slot_width=16, hidden=16), TINY)
    objective.save(folder / 'encoder.safetensors', {}, {})
    category = load_category('mug')
    network = DescriptorNet(TINY, len(category.parts))
    save_checkpoint(folder / 'network.safetensors', Checkpoint(network, TINY, category))
    rng = np.random.default_rng(0)
    for name, flip in (('straight', False), ('flipped', True)):
        rgb = np.zeros((48, 96, 3), np.uint8)
        rgb[:, :48], rgb[:, 48:] = (200, 30, 30), (30, 30, 200)
        rgb = np.clip(rgb + rng.integers(-20, 20, rgb.shape), 0, 255).astype(np.uint8)
        write_image(folder / 'images' / f'{name}.png', rgb[:, ::-1] if flip else rgb)
    return folder


def settings(folder, out, checkpoint='encoder', **values):
    patches = [[8, 8, 40, 40, 1.0], [56, 8, 88, 40, 5.0]]
    arguments = {'patches': patches, 'temperature': 0.02, 'device': 'cpu'} | values
    images = folder / 'images'
    return PropagateConfig(
        folder / f'{checkpoint}.safetensors', images / 'straight.png', images=images, out=out, **arguments
    )


@pytest.mark.parametrize('checkpoint', ['encoder', 'network'])
def test_costs_follow_what_looks_alike_to_another_image(folder, tmp_path, checkpoint):
    run(settings(folder, tmp_path, checkpoint))
    for name, red in (('straight', np.s_[8:40, 8:40]), ('flipped', np.s_[8:40, 56:88])):
        cost = np.load(tmp_path / f'{name}.npy')
        assert cost.shape == (48, 96)
        assert cost.dtype == np.float32
        assert cost.min() >= 1 and cost.max() <= 5
        blue = cost[:, ::-1][red]
        assert cost[red].mean() < 2 < 4 < blue.mean()
        assert cv2.imread(str(tmp_path / f'{name}.png')).shape == (48, 96, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'flipped.npy', 'flipped.png', 'straight.npy', 'straight.png',
    ]  # fmt: skip


def test_labels_are_those_that_were_marked(folder, tmp_path):
    run(settings(folder, tmp_path, kind='label'))
    labels = np.load(tmp_path / 'flipped.npy')
    assert labels.dtype == np.uint16
    assert set(np.unique(labels)) == {1, 5}
    assert (labels[8:40, 56:88] == 1).mean() > 0.95
    assert (labels[8:40, 8:40] == 5).mean() > 0.95


def test_one_patch_on_a_background(folder, tmp_path):
    run(settings(folder, tmp_path, patches=[[8, 8, 40, 40, 1.0]], background=0))
    cost = np.load(tmp_path / 'flipped.npy')
    assert cost[8:40, 56:88].mean() > cost[8:40, 8:40].mean() + 0.3


def test_descriptors_are_unit_and_of_the_checkpoint_that_is_named(folder):
    rgb = np.random.default_rng(0).integers(0, 255, (48, 96, 3), np.uint8)
    lengths = {}
    for kind in ('encoder', 'network'):
        descriptors = descriptor_reader(folder / f'{kind}.safetensors', 'cpu')(rgb)
        norms = descriptors.norm(dim=0)
        assert torch.allclose(norms, torch.ones_like(norms), atol=1e-5)
        lengths[kind] = len(descriptors)
    assert lengths['encoder'] == 64 + 128
    assert lengths['network'] < 32


def test_files_that_cannot_be_used_are_named(folder, tmp_path):
    with pytest.raises(CheckpointError, match='not a readable'):
        descriptor_reader(tmp_path / 'none.safetensors', 'cpu')
    (tmp_path / 'broken.safetensors').write_bytes(b'half of it')
    with pytest.raises(CheckpointError, match=r'broken\.safetensors'):
        descriptor_reader(tmp_path / 'broken.safetensors', 'cpu')
    with pytest.raises(DatasetError, match='no such image'):
        run(replace(settings(folder, tmp_path / 'out'), images=tmp_path / 'none.png'))
    with pytest.raises(ConfigError, match='where the images are'):
        run(settings(folder, folder / 'images'))


def test_the_configuration_is_read_and_what_is_missing_named():
    overrides = ['checkpoint=c', 'reference=r', 'patches=[[1,2,3,4,5.5]]', 'images=i', 'background=0']
    with initialize_config_dir(str(ROOT / 'training' / 'config'), version_base=None):
        config = read_config(compose('propagate', [*overrides, 'out=o']))
        with pytest.raises(ConfigError, match='out not given'):
            read_config(compose('propagate', overrides))
    assert config == PropagateConfig(Path('c'), Path('r'), [[1, 2, 3, 4, 5.5]], Path('i'), Path('o'), 0)


def test_the_program_ends_with_one_line_on_an_error(monkeypatch):
    program = ROOT / 'training' / 'propagate.py'
    monkeypatch.setattr(sys, 'argv', [str(program), 'checkpoint=c', 'reference=r'])
    with pytest.raises(SystemExit, match=r'^error: images, out, patches not given'):
        runpy.run_path(str(program), run_name='__main__')
