import pytest
import torch
from sklearn.cluster import KMeans

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.training.networks.co_attention import CoAttention
from dense_descriptor_ros.training.networks.cross_attention import CrossAttention
from dense_descriptor_ros.training.networks.object_queries import (
    KMeansQueries,
    LearnedQueries,
    SampledQueries,
    kmeans,
)

OBJECT_FUNCTIONS = (CrossAttention, CoAttention)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def clusters(count, size, spread, seed=0):
    """(1, count * size, 2) points about corners 10 apart, shuffled, and the means of the corners' points."""
    corners = 10 * torch.tensor([[i % 2, i // 2] for i in range(count)]).float()
    points = corners[:, None] + spread * random(count, size, 2, seed=seed)
    order = torch.randperm(count * size, generator=torch.Generator().manual_seed(seed))
    return points.flatten(0, 1)[order][None], points.mean(1)


def in_order(centres):
    return torch.stack(sorted(centres, key=lambda c: (round(float(c[1])), round(float(c[0])))))


def test_learned_queries_are_the_same_for_every_image():
    queries = LearnedQueries(3, 4)
    slots = queries(random(2, 5, 6))
    assert slots.shape == (2, 3, 4)
    assert torch.equal(slots[0], slots[1])
    assert torch.equal(slots[0], queries.slots)


def test_sampled_queries_have_the_learned_mean_and_scale():
    torch.manual_seed(0)
    queries = SampledQueries(50, 3)
    with torch.no_grad():
        queries.mean.copy_(torch.tensor([1.0, -2, 5]))
        queries.log_scale.copy_(torch.tensor([0.1, 1, 3]).log())
    slots = queries(random(400, 2, 3)).flatten(0, 1)  # 20,000 draws
    assert torch.allclose(slots.mean(0), torch.tensor([1.0, -2, 5]), atol=0.1)
    assert torch.allclose(slots.std(0), torch.tensor([0.1, 1, 3]), rtol=0.05)


def test_sampling_has_the_gradient_of_mean_and_scale():
    torch.manual_seed(0)
    queries = SampledQueries(4, 3)
    slots = queries(random(2, 5, 6))
    noise = (slots - queries.mean) / queries.log_scale.exp()
    slots.sum().backward()
    assert torch.allclose(queries.mean.grad, torch.full((3,), 8.0))
    expected = (noise * queries.log_scale.exp()).sum((0, 1))  # d slot / d log scale = scale * noise
    assert torch.allclose(queries.log_scale.grad, expected, atol=1e-5)
    assert (queries.log_scale.grad != 0).all()


def test_a_seed_tells_what_is_sampled():
    queries, tokens = SampledQueries(4, 3), random(2, 5, 6)
    torch.manual_seed(1)
    first, other = queries(tokens), queries(tokens)
    torch.manual_seed(1)
    assert torch.equal(queries(tokens), first)
    assert not torch.equal(other, first)


def test_kmeans_finds_clusters_that_lie_apart():
    points, means = clusters(4, 20, spread=0.3)
    torch.manual_seed(0)
    assert torch.allclose(in_order(kmeans(points, 4)[0]), means, atol=1e-4)


def test_kmeans_ends_where_a_reference_begun_at_its_centres_ends():
    points = random(1, 60, 3)
    torch.manual_seed(0)
    ours = kmeans(points, 5, iterations=100)[0]
    reference = KMeans(5, init=ours.numpy(), n_init=1, tol=0).fit(points[0].numpy())
    assert torch.allclose(ours, torch.from_numpy(reference.cluster_centers_), atol=1e-5)
    # A local minimum that is not much worse than the best of 20.
    best = KMeans(5, n_init=20, random_state=0).fit(points[0].numpy())
    assert reference.inertia_ < 1.3 * best.inertia_


def test_kmeans_of_a_batch_treats_images_apart():
    a, means = clusters(4, 10, spread=0.1)
    torch.manual_seed(0)
    both = kmeans(torch.cat([a, a + 100]), 4)
    assert torch.allclose(in_order(both[0]), means, atol=1e-4)
    assert torch.allclose(in_order(both[1]), means + 100, atol=1e-4)


def test_kmeans_is_repeated_by_the_seed():
    points = random(2, 30, 4)
    torch.manual_seed(3)
    first = kmeans(points, 6)
    torch.manual_seed(3)
    assert torch.equal(kmeans(points, 6), first)


def test_equal_tokens_and_tokens_that_are_not_finite_give_finite_centres():
    assert torch.equal(kmeans(torch.ones(1, 8, 2), 3), torch.ones(1, 3, 2))
    points = random(1, 8, 2)
    points[0, 0] = torch.tensor([float('nan'), float('inf')])
    assert kmeans(points, 3).isfinite().all()


def test_fewer_tokens_than_slots_are_refused():
    with pytest.raises(InputError, match='3 tokens, expected at least 4'):
        kmeans(torch.zeros(1, 3, 2), 4)


def test_no_gradient_passes_through_kmeans():
    tokens = random(2, 9, 3).requires_grad_()
    queries = KMeansQueries(4, 5, token_width=3)
    slots = queries(tokens)
    slots.sum().backward()
    assert slots.shape == (2, 4, 5)
    assert tokens.grad is None
    assert (queries.project.weight.grad != 0).all()


@pytest.mark.parametrize('kind', OBJECT_FUNCTIONS)
def test_slots_follow_a_permutation_of_their_queries(kind):
    torch.manual_seed(0)
    function, order = kind(6, 8, iterations=2), torch.tensor([2, 0, 3, 1])
    tokens, queries = random(2, 9, 6), random(2, 4, 8, seed=1)
    slots, attention = function(tokens, queries)
    moved, moved_attention = function(tokens, queries[:, order])
    assert torch.allclose(moved, slots[:, order], atol=1e-5)
    assert torch.allclose(moved_attention, attention[:, order], atol=1e-6)
    assert not torch.allclose(slots, slots[:, order], atol=1e-2)


@pytest.mark.parametrize('kind', OBJECT_FUNCTIONS)
def test_the_order_of_the_tokens_does_not_matter(kind):
    torch.manual_seed(0)
    function, order = kind(6, 8, iterations=2), torch.randperm(9)
    tokens, queries = random(2, 9, 6), random(2, 4, 8, seed=1)
    slots, attention = function(tokens, queries)
    same, moved_attention = function(tokens[:, order], queries)
    assert torch.allclose(same, slots, atol=1e-5)
    assert torch.allclose(moved_attention, attention[..., order], atol=1e-6)


@pytest.mark.parametrize(('kind', 'dimension'), [(CrossAttention, 2), (CoAttention, 1)])
def test_attention_is_shared_among_tokens_or_among_slots(kind, dimension):
    torch.manual_seed(0)
    _, attention = kind(6, 8)(10 * random(2, 9, 6), random(2, 4, 8, seed=1))
    assert attention.shape == (2, 4, 9)
    assert (attention >= 0).all()
    total = attention.sum(dimension)
    assert torch.allclose(total, torch.ones_like(total), atol=1e-5)


@pytest.mark.parametrize('kind', OBJECT_FUNCTIONS)
def test_every_weight_of_an_object_function_counts(kind):
    torch.manual_seed(0)
    function = kind(6, 8, iterations=2)
    tokens = random(2, 9, 6).requires_grad_()
    slots, _ = function(tokens, random(2, 4, 8, seed=1))
    (slots * random(2, 4, 8, seed=2)).sum().backward()
    assert tokens.grad.abs().amin() > 0
    for name, parameter in function.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize('kind', OBJECT_FUNCTIONS)
def test_a_slot_learns_from_the_tokens_it_attends(kind):
    torch.manual_seed(0)
    function, queries = kind(6, 8), random(1, 4, 8, seed=1)
    slots, _ = function(random(1, 9, 6), queries)
    others, _ = function(random(1, 9, 6, seed=5), queries)
    assert (slots - others).abs().amin(2).min() > 0


@pytest.mark.parametrize('kind', OBJECT_FUNCTIONS)
def test_object_functions_count_in_float32_under_autocast(kind):
    torch.manual_seed(0)
    function, tokens, queries = kind(6, 8), random(1, 9, 6), random(1, 4, 8, seed=1)
    expected, _ = function(tokens, queries)
    with torch.autocast('cpu', torch.bfloat16):
        slots, attention = function(tokens, queries)
    assert attention.dtype == torch.float32
    assert torch.equal(slots, expected)
