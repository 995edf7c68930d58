import pytest
import torch

from dense_descriptor_ros.errors import ConfigError, InputError
from dense_descriptor_ros.training.networks.broadcast_decoder import BroadcastDecoder
from dense_descriptor_ros.training.networks.position import PositionEmbedding, border_distances
from dense_descriptor_ros.training.networks.set_encoder import SetEncoder
from dense_descriptor_ros.training.networks.slot_attention import EPSILON, SlotAttention


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def seeded(build, seed=0):
    torch.manual_seed(seed)
    return build()


ORDER = torch.tensor([3, 0, 2, 1])


def test_permuted_initial_slots_give_permuted_slots_and_attention():
    attention = seeded(lambda: SlotAttention(6, 8))
    tokens, slots = randn(2, 10, 6), randn(2, 4, 8, seed=1)
    found, share = attention(tokens, slots)
    permuted, permuted_share = attention(tokens, slots[:, ORDER])
    assert not torch.allclose(found, permuted, atol=1e-3)
    torch.testing.assert_close(permuted, found[:, ORDER])
    torch.testing.assert_close(permuted_share, share[:, ORDER])


def test_the_order_of_tokens_does_not_matter_to_the_slots():
    attention = seeded(lambda: SlotAttention(6, 8))
    tokens, slots = randn(2, 10, 6), randn(2, 4, 8, seed=1)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(2))
    found, share = attention(tokens, slots)
    shuffled, shuffled_share = attention(tokens[:, order], slots)
    torch.testing.assert_close(shuffled, found)
    torch.testing.assert_close(shuffled_share, share[:, :, order])


def test_attention_sums_to_one_over_the_slots():
    _, share = seeded(lambda: SlotAttention(6, 8))(10 * randn(3, 11, 6), randn(3, 5, 8, seed=1))
    assert share.shape == (3, 5, 11)
    torch.testing.assert_close(share.sum(1), torch.ones(3, 11))
    assert float((share.detach().sum(2) - 1).abs().max()) > 0.1  # not over the tokens


def test_one_slot_sees_the_mean_of_all_values():
    attention = seeded(lambda: SlotAttention(6, 8, iterations=1))
    tokens, slots = randn(2, 10, 6), randn(2, 1, 8, seed=1)
    found, share = attention(tokens, slots)
    torch.testing.assert_close(share, torch.ones(2, 1, 10))
    mean = attention.value(attention.norm_tokens(tokens)).mean(1)
    torch.testing.assert_close(found, attention.update(slots, mean[:, None]))


def naive_iteration(attention, tokens, slots):
    """Algorithm 1 of the paper for one image, one slot and one token at a time."""
    tokens, count = attention.norm_tokens(tokens), len(slots)
    logits = torch.zeros(count, len(tokens))
    for i, slot in enumerate(slots):
        for j, token in enumerate(tokens):
            query, key = attention.query(attention.norm_slots(slot)), attention.key(token)
            logits[i, j] = query @ key / len(key) ** 0.5
    share = logits.exp() / logits.exp().sum(0)
    new = []
    for i, slot in enumerate(slots):
        weights = (share[i] + EPSILON) / (share[i] + EPSILON).sum()
        seen = sum(w * attention.value(token) for w, token in zip(weights, tokens, strict=True))
        state = attention.gru(seen[None], slot[None])[0]
        new.append(state + attention.mlp(state))
    return torch.stack(new), share


def test_iterations_equal_a_loop_over_slots_and_tokens():
    attention = seeded(lambda: SlotAttention(6, 8, iterations=2))
    tokens, slots = randn(1, 7, 6), randn(1, 3, 8, seed=1)
    expected, share = slots[0], None
    for _ in range(2):
        expected, share = naive_iteration(attention, tokens[0], expected)
    found, found_share = attention(tokens, slots)
    torch.testing.assert_close(found[0], expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found_share[0], share, rtol=1e-4, atol=1e-5)


def test_slots_stay_finite_when_no_token_chooses_one():
    attention = seeded(lambda: SlotAttention(6, 8))
    with torch.no_grad():
        attention.query.weight.mul_(1e4)
    found, share = attention(randn(1, 10, 6), randn(1, 14, 8, seed=1))
    assert float(share.detach().sum(2).min()) < 1e-6
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(attention.key.weight.grad).all()


def test_slot_attention_is_exact_under_autocast():
    attention = seeded(lambda: SlotAttention(6, 8))
    tokens, slots = randn(2, 10, 6), randn(2, 4, 8, seed=1)
    exact, _ = attention(tokens, slots)
    with torch.autocast('cpu', torch.bfloat16):
        found, share = attention(tokens, slots)
    assert found.dtype == share.dtype == torch.float32
    torch.testing.assert_close(found, exact)


def test_a_set_has_the_same_code_in_any_order_but_another_with_another_slot():
    encoder = seeded(lambda: SetEncoder(8, 16, 5))
    slots = randn(3, 4, 8)
    torch.testing.assert_close(encoder(slots[:, ORDER]), encoder(slots))
    changed = slots.clone()
    changed[:, 2] += 1
    assert float((encoder(changed) - encoder(slots)).detach().abs().max()) > 1e-3


def test_position_is_the_share_of_the_way_between_borders():
    distances = border_distances(2, 4, torch.device('cpu'))
    assert distances.shape == (2, 4, 4)
    torch.testing.assert_close(distances[0, 3], torch.tensor([0.25, 0.875, 0.75, 0.125]))


def test_position_is_added_to_any_size_of_map():
    position = seeded(lambda: PositionEmbedding(5))
    features = randn(2, 5, 3, 4)
    added = position(features) - features
    torch.testing.assert_close(added[0], added[1])
    expected = position.project(torch.tensor([1 / 6, 1 / 8, 5 / 6, 7 / 8]))
    torch.testing.assert_close(added[0, :, 0, 0], expected)
    assert position(randn(1, 5, 8, 8)).shape == (1, 5, 8, 8)


@pytest.mark.parametrize('shape', [(2, 4, 3, 3), (5, 3, 3), (2, 9, 5)])
def test_position_refuses_maps_of_another_shape(shape):
    with pytest.raises(InputError, match='expected'):
        PositionEmbedding(5)(torch.zeros(shape))


def test_an_image_is_its_colours_weighted_by_masks_that_sum_to_one():
    decoded = seeded(lambda: BroadcastDecoder(8, 32, 4))(randn(2, 3, 8))
    assert decoded.image.shape == (2, 3, 32, 32)
    torch.testing.assert_close(decoded.masks.sum(1), torch.ones(2, 32, 32))
    by_hand = sum(decoded.masks[:, k, None] * decoded.colours[:, k] for k in range(3))
    torch.testing.assert_close(decoded.image, by_hand)


def test_an_image_does_not_change_with_the_order_of_its_slots():
    decoder = seeded(lambda: BroadcastDecoder(8, 16, 4))
    slots = randn(2, 4, 8)
    torch.testing.assert_close(decoder(slots[:, ORDER]).image, decoder(slots).image)
    torch.testing.assert_close(decoder(slots[:, ORDER]).masks, decoder(slots).masks[:, ORDER])


@pytest.mark.parametrize('size_px', [8, 16, 128])
def test_a_decoder_reaches_its_size(size_px):
    assert BroadcastDecoder(4, size_px, 2)(torch.zeros(1, 2, 4)).image.shape[-2:] == (size_px, size_px)


@pytest.mark.parametrize('size_px', [0, 4, 24, 100])
def test_a_decoder_refuses_a_size_that_doubling_does_not_reach(size_px):
    with pytest.raises(ConfigError, match=f'size_px is {size_px}'):
        BroadcastDecoder(4, size_px)
