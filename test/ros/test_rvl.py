"""RVL against an encoder that goes nibble by nibble, and against bytes written out by hand."""

import struct
from itertools import groupby

import numpy as np
import pytest

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.ros.encoded import MAX_PIXELS
from dense_descriptor_ros.ros.rvl import decode_rvl


def stream(height: int, width: int, numbers: list[int]) -> bytes:
    """A whole RVL image of its numbers."""
    nibbles = []
    for number in numbers:
        while number > 7:
            nibbles.append(8 + number % 8)
            number //= 8
        nibbles.append(number)
    nibbles += [0] * (-len(nibbles) % 8)
    words = [nibbles[at : at + 8] for at in range(0, len(nibbles), 8)]
    values = [sum(nibble << 4 * place for place, nibble in enumerate(reversed(word))) for word in words]
    return struct.pack(f'<{2 + len(values)}I', width, height, *values)


def encode_rvl(depth: np.ndarray) -> bytes:
    numbers: list[int] = []
    previous = 0
    runs = [(known, list(run)) for known, run in groupby(depth.ravel().tolist(), key=bool)]
    if runs[0][0]:
        runs.insert(0, (False, []))
    if not runs[-1][0]:
        runs.append((True, []))
    for known, run in runs:
        numbers.append(len(run))
        for value in run if known else []:
            step = value - previous
            numbers.append(2 * step if step >= 0 else -2 * step - 1)
            previous = value
    return stream(*depth.shape, numbers)


def test_known_bytes() -> None:
    """1 without depth, 2 with: 5 is 10 over 0, and 4 is 1 over 5; nibbles 1, 2, a1, 1."""
    data = bytes.fromhex('03000000 01000000 0010a112')
    assert decode_rvl(data).tolist() == [[0, 5, 4]]
    assert encode_rvl(np.array([[0, 5, 4]])) == data


@pytest.mark.parametrize(
    'depth',
    [
        np.zeros((3, 5)),
        np.full((3, 5), 42),
        np.array([[1]]),
        np.array([[65535, 0, 1, 65535, 0, 0]]),
        np.arange(70000).reshape(7, -1) % 65536,
    ],
)
def test_round_trip(depth: np.ndarray) -> None:
    decoded = decode_rvl(encode_rvl(depth.astype(np.uint16)))
    assert decoded.dtype == np.uint16
    assert (decoded == depth).all()


def test_round_trip_of_noise_with_holes() -> None:
    generator = np.random.default_rng(0)
    for high in (2, 10, 300, 65536):
        depth = generator.integers(0, high, (40, 30)) * generator.integers(0, 2, (40, 30))
        assert (decode_rvl(encode_rvl(depth)) == depth).all()


def test_bytes_after_the_image_are_left_alone() -> None:
    depth = np.array([[7, 0], [9, 9]])
    assert (decode_rvl(encode_rvl(depth) + bytes(range(200))) == depth).all()


@pytest.mark.parametrize(
    ('data', 'sentence'),
    [
        (b'', '0 bytes'),
        (stream(1, 3, [0, 1, 4])[:-1], '11 bytes'),
        (stream(0, 3, []), 'declares 3x0'),
        (struct.pack('<3I', 2**32 - 1, 2**32 - 1, 0), 'declares'),
        (struct.pack('<3I', MAX_PIXELS + 1, 1, 0), 'declares'),
        (stream(1, 3, []), '0 of 3 pixels'),
        (stream(1, 3, [1, 1, 4]), '2 of 3 pixels'),
        (stream(1, 30, [0, 20, 2]), '20 of 30 pixels'),
        (stream(1, 3, [4, 0]), 'runs of 4 pixels'),
        (stream(1, 30, [0, 30, 2]), '7 numbers, expected 30 and 32'),
        (stream(1, 3, [0, 3, 4, 5, 0]), 'uint16'),
        (stream(1, 3, [0, 3, 2 * 65536, 1, 1]), 'uint16'),
        (stream(1, 3, [2**40, 0]), '14 nibbles'),
    ],
)
def test_damaged(data: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        decode_rvl(data)
