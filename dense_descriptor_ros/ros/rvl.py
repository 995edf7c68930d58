"""RVL, the run-length code of depth images that compressed_depth_image_transport has beside PNG.

After width and height, two little-endian uint32, come numbers of any length: how many pixels are 0, how many
after them are not, and for each of these its difference to the one of them before, written 0, 1, 2, 3, 4, ...
for 0, -1, 1, -2, 2, ...; then again how many are 0, to the last pixel. A number is a row of nibbles of three
bits each, the lowest first, and the fourth bit is set in all but the last. Eight nibbles, the first one the
highest, make a little-endian uint32.

Wilson, Fast Lossless Depth Image Compression, ISS 2017, https://doi.org/10.1145/3132272.3134144, as in
https://github.com/ros-perception/image_transport_plugins, compressed_depth_image_transport/src/rvl_codec.cpp.
"""

import struct

import numpy as np

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.ros.encoded import check_size

_MAX_NIBBLES = 10
"""Of one number; a valid one counts pixels or is a difference of two uint16."""


def decode_rvl(data: bytes) -> np.ndarray:
    """Depth image (H, W) uint16.

    Raises:
        InputError: it is damaged, cut short, or larger than MAX_PIXELS.
    """
    if len(data) < 8 or len(data) % 4:
        raise InputError(f'has {len(data)} bytes of RVL, expected 8 and a multiple of 4')
    width, height = struct.unpack_from('<2I', data)
    check_size(width, height)
    pixels = width * height
    # A pixel takes 4 bytes at most: what lies farther behind gets no memory.
    return _decode(_numbers(data[8 : 8 + 4 * pixels]), pixels).reshape(height, width)


def _numbers(data: bytes) -> np.ndarray:
    """All numbers (N,) int32 of a stream."""
    octets = np.frombuffer(data, '<u4').astype('>u4').view(np.uint8)
    nibbles = np.stack([octets >> 4, octets & 15], axis=1).ravel()
    ends = np.flatnonzero(nibbles < 8) + 1
    if not len(ends):
        return np.empty(0, np.int32)
    lengths = np.diff(ends, prepend=0)
    starts = ends - lengths
    if lengths.max() > _MAX_NIBBLES:
        raise InputError(f'has an RVL number of {lengths.max()} nibbles, expected at most {_MAX_NIBBLES}')
    place = np.arange(ends[-1], dtype=np.int32) - np.repeat(starts.astype(np.int32), lengths)
    return np.add.reduceat((nibbles[: ends[-1]] & 7).astype(np.int32) << (3 * place), starts, dtype=np.int32)


def _decode(numbers: np.ndarray, pixels: int) -> np.ndarray:
    """Depth (pixels,) uint16 of the numbers of a stream."""
    runs, counts_at, at = _runs(numbers, pixels)
    code = np.delete(numbers[:at], counts_at)
    values = np.cumsum((code >> 1) ^ -(code & 1))
    if ((values < 1) | (values > np.iinfo(np.uint16).max)).any():
        raise InputError('has RVL differences that lead out of the range of uint16')
    depth = np.zeros(pixels, np.uint16)
    depth[np.repeat(np.arange(len(runs)) % 2 == 1, runs)] = values
    return depth


def _runs(numbers: np.ndarray, pixels: int) -> tuple[list[int], list[int], int]:
    """Lengths of runs without and with depth in turn, where among the numbers they are, where those end."""
    tokens = numbers.tolist()
    runs: list[int] = []
    counts_at: list[int] = []
    filled = at = 0
    while filled < pixels:
        counts = tokens[at : at + 2]
        if len(counts) < 2 or not any(counts):
            raise InputError(f'breaks off: the RVL has {filled} of {pixels} pixels')
        runs += counts
        counts_at += (at, at + 1)
        filled += sum(counts)
        at += 2 + counts[1]
    if filled > pixels or at > len(tokens):
        raise InputError(
            f'has RVL runs of {filled} pixels and {len(tokens)} numbers, expected {pixels} and {at}'
        )
    return runs, counts_at, at
