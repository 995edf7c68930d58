import numpy as np
import pytest
import torch
import torch.nn.functional as F
from perfect_votes import perfect_output
from tiny_bop import DEPTH_MM, F_PX, write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.training.items.view_pairs import MAX_INSTANCES
from dense_descriptor_ros.training.losses.votes import vote_losses
from dense_descriptor_ros.training.probes import frames
from dense_descriptor_ros.training.probes.components import principal_components
from dense_descriptor_ros.training.probes.frozen import FrozenFeatures
from dense_descriptor_ros.training.sources.bop import BopImages

STEPS = 150


@pytest.fixture
def images(tmp_path):
    return BopImages(open_bop(write_tiny_bop(tmp_path), 'test'), load_category('mug'))


def place_in_view(images):
    """A representation that knows the mug's mask and where in it a cell is, asked for the views in turn."""
    order = iter(range(len(images)))

    def describe(channels):
        mask = F.pad(torch.from_numpy(images[next(order)].instances > 0), (0, 0, 0, 8))
        v, u = torch.nonzero(mask, as_tuple=True)
        place = torch.zeros(5, *mask.shape)
        place[0, v, u], place[1, v, u] = (u - u.float().mean()) / 30, (v - v.float().mean()) / 30
        place[2, v, u] = (u.max() - u.min()) / 60
        place[3], place[4] = mask, ~mask
        return F.avg_pool2d(place[None], 4)

    return describe


def same_everywhere(channels):
    return torch.full((1, 4, *(side // 4 for side in channels.shape[-2:])), 0.5)


def features(describe, images):
    """All views described in their order."""
    found = FrozenFeatures(describe, images)
    list(found)
    return found


def test_a_representation_that_holds_the_place_yields_frames_and_a_collapsed_one_none(images):
    known = features(place_in_view(images), images)
    figures = frames.probe(known, known, steps=STEPS)
    assert set(figures) == {
        'ap_20mm_10deg',
        *(f'ap_20mm_10deg/{part}' for part in ('body', 'handle', 'opening')),
    }
    assert figures['ap_20mm_10deg/body'] > 0.9
    collapsed = features(same_everywhere, images)
    assert frames.probe(collapsed, collapsed, steps=20)['ap_20mm_10deg'] < 0.1


def test_the_same_seed_gives_the_same_weights_and_leaves_torchs_generator_alone(images):
    train = features(place_in_view(images), images)
    components = principal_components(train)
    state = torch.get_rng_state()
    first, second, other = (frames.fitted(train, components, 3, 2, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    weights = [torch.cat([p.flatten() for p in n.parameters()]) for n in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_head_alone_has_weights_and_sees_the_components_as_they_are():
    network = frames.head_network(6, parts=3)
    assert {name.split('.')[0] for name, _ in network.named_parameters()} == {'frame_head'}
    x = torch.randn(1, 6, 8, 10, generator=torch.Generator().manual_seed(0))
    output = network.eval()(x)
    torch.testing.assert_close(output.descriptors, F.normalize(x, dim=1))
    torch.testing.assert_close(output.object_logit, network.frame_head(x)[:, 0])
    assert output.axis.shape == (1, 3, 3, 8, 10)


@pytest.mark.parametrize('side', [160, 80])
def test_the_truth_is_of_the_reduced_camera(images, side):
    train = FrozenFeatures(same_everywhere, images, max_side_px=side)
    view = train[0]
    truth = frames.cell_truth(view, train)
    np.testing.assert_array_equal(truth['instance_map'], view.instances)
    assert truth['K'][0, 0] == pytest.approx(F_PX * side / 160)
    assert truth['origins_m'].shape == (MAX_INSTANCES, 3, 3)
    torch.testing.assert_close(truth['origins_m'][0, 0], torch.tensor([0.05, 0, DEPTH_MM / 1000]))
    assert not truth['visible'][1:].any()
    on_mug = truth['instance_map'] > 0
    assert truth['true_depth_m'][on_mug].tolist() == pytest.approx([1.0] * int(on_mug.sum()))


@pytest.mark.parametrize('side', [160, 80])
def test_votes_made_of_the_truth_have_no_loss(images, side):
    train = FrozenFeatures(same_everywhere, images, max_side_px=side)
    truth = {name: value[None] for name, value in frames.cell_truth(train[0], train).items()}
    image = train[0].image
    output = perfect_output(
        np.maximum(image.depth_m, 1e-3),
        image.K,
        truth['origins_m'][0, 0].numpy(),
        truth['axes'][0, 0].numpy(),
    )
    losses = vote_losses(output, **truth)
    assert float(losses['axis']) < 1e-5
    spread_term = 3 * np.log(2)  # the likelihood of no error at all
    assert float(losses['keypoint']) == pytest.approx(spread_term, abs=0.01)
