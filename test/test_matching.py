import numpy as np
import pytest

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.matching import match, sample, search_pixels

SIZE = (8, 16)  # H, W of an image at four pixels a cell: 2 x 4 cells


def cell_centre(i, j):
    return [(j + 0.5) * 4 - 0.5, (i + 0.5) * 4 - 0.5]


@pytest.fixture
def descriptors():
    """Eight cells with orthogonal descriptors."""
    return np.eye(8, dtype=np.float32).reshape(8, 2, 4)


def test_sample_at_a_cells_centre_is_its_descriptor(descriptors):
    uv = np.array([cell_centre(i, j) for i in range(2) for j in range(4)])
    np.testing.assert_allclose(sample(descriptors, uv, SIZE), np.eye(8), atol=1e-7)


def test_sample_between_cells_is_their_normalised_mean(descriptors):
    middle = (np.array(cell_centre(0, 1)) + cell_centre(0, 2)) / 2
    expected = np.zeros(8)
    expected[[1, 2]] = np.sqrt(0.5)
    np.testing.assert_allclose(sample(descriptors, middle[None], SIZE)[0], expected, atol=1e-6)


def test_sample_beyond_the_outermost_centres_takes_the_nearest_cell(descriptors):
    found = sample(descriptors, np.array([[0, 0], [15, 7], [100, -100]]), SIZE)
    np.testing.assert_array_equal(found.argmax(1), [0, 7, 3])
    np.testing.assert_allclose(found.max(1), 1)


def test_sample_of_half_precision_is_of_unit_length():
    rng = np.random.default_rng(0)
    low = rng.standard_normal((5, 6, 7)).astype(np.float16)
    found = sample(low, rng.uniform(0, 20, (30, 2)), (24, 28))
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_match_finds_the_cell_of_each_descriptor(descriptors):
    uv, similarity = match(np.eye(8)[[6, 0]], descriptors, SIZE, np.ones(SIZE, bool))
    assert np.abs(uv[0] - cell_centre(1, 2)).max() == 0.5  # one of the four pixels around the centre
    assert (uv[1] <= 1).all()
    assert similarity[1] == pytest.approx(1)


def test_match_stays_within_the_mask(descriptors):
    mask = np.zeros(SIZE, bool)
    mask[7, 3] = True
    uv, similarity = match(np.eye(8)[:1], descriptors, SIZE, mask)
    np.testing.assert_array_equal(uv, [[3, 7]])
    assert similarity[0] < 0.5


def test_without_a_mask_every_second_pixel_is_searched():
    pixels = search_pixels((4, 6))
    assert len(pixels) == 6
    np.testing.assert_array_equal(pixels.max(0), [4, 2])


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda d: sample(d[0], np.zeros((1, 2)), SIZE), r'\(D, h, w\)'),
        (lambda d: sample(d, np.zeros((2, 3)), SIZE), r'\(N, 2\)'),
        (lambda d: sample(d, np.array([[np.nan, 0]]), SIZE), 'not finite'),
        (lambda d: match(np.zeros((1, 7)), d, SIZE), r'\(N, 8\)'),
        (lambda d: match(np.zeros((1, 8)), d, SIZE, np.ones((3, 3), bool)), r'\(3, 3\)'),
        (lambda d: match(np.zeros((1, 8)), d, SIZE, np.zeros(SIZE, bool)), 'empty'),
    ],
)
def test_errors_name_what_was_expected(descriptors, call, message):
    with pytest.raises(InputError, match=message):
        call(descriptors)
