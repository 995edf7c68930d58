"""sensor_msgs/CompressedImage of image_transport to images that go on as raw ones do.

compressed_image_transport sends JPEG or PNG, compressed_depth_image_transport PNG or RVL after a header of 12
bytes. Their formats are those of https://github.com/ros-perception/image_transport_plugins (rolling):
compressed_image_transport/src/compressed_subscriber.cpp and compressed_depth_image_transport/src/codec.cpp.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dense_descriptor_ros.errors import InputError
from dense_descriptor_ros.ros.conversions import COLOUR_CHANNELS, DEPTH_DTYPES
from dense_descriptor_ros.ros.drops import BadFrameError, Drop
from dense_descriptor_ros.ros.encoded import decode_image
from dense_descriptor_ros.ros.rvl import decode_rvl

if TYPE_CHECKING:
    from sensor_msgs.msg import CompressedImage

_DEPTH_HEADER = struct.Struct('<iff')
"""What it is (always 0) and the quantisation A and B, which only 32FC1 sets."""


@dataclass(frozen=True)
class DecodedImage:
    """Pixels with the fields of sensor_msgs/Image, for functions that take one, without padding of rows."""

    header: Any
    """std_msgs/Header of the message that they come from."""
    encoding: str
    pixels: np.ndarray
    """(H, W) or (H, W, C) in this machine's byte order."""

    @property
    def height(self) -> int:
        """Rows."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """Columns."""
        return self.pixels.shape[1]

    @property
    def step(self) -> int:
        """Bytes of a row."""
        return self.pixels.nbytes // self.height

    @property
    def is_bigendian(self) -> bool:
        """Byte order of this machine."""
        return sys.byteorder == 'big'

    @property
    def data(self) -> np.ndarray:
        """Bytes (N,) uint8, row by row."""
        return np.ascontiguousarray(self.pixels).reshape(-1).view(np.uint8)


def decompress_image(message: CompressedImage) -> DecodedImage:
    """Image in one of COLOUR_CHANNELS from a JPEG, or from a PNG of 8 bits.

    The format names the encoding before compression and, in colour, that of the compressed pixels, such as
    `rgb8; jpeg compressed bgr8`. There `bgr8` means that the file shows true colours, as does every file of
    the format `jpeg` or `png` alone; without it OpenCV compressed RGB pixels as if they were BGR.

    Raises:
        BadFrameError: IMAGE_ENCODING, the pixels are of no kind that the node takes, or IMAGE_COMPRESSED, the
            data are no JPEG or PNG, damaged, cut short, or of more than MAX_PIXELS.
    """
    order = _channel_order(message.format)
    pixels = _decode(message, bytes(message.data), decode_image, Drop.IMAGE_COMPRESSED)
    if pixels.dtype != np.uint8:
        raise BadFrameError(
            Drop.IMAGE_ENCODING,
            f'image of format {message.format!r} has 16 bits a channel, expected 8: publish '
            f'one of {sorted(COLOUR_CHANNELS)}',
        )
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    encoding = {1: 'mono8', 3: f'{order}8', 4: f'{order}a8'}[channels]
    return DecodedImage(message.header, encoding, pixels)


def decompress_depth(message: CompressedImage) -> DecodedImage:
    """Depth image in one of DEPTH_DTYPES: 16UC1 as it was sent, or 32FC1 in metres, 0 where unknown.

    The format is `16UC1; compressedDepth`, with ` png` or ` rvl` after it in newer versions, or the encoding
    alone in the oldest. 32FC1 is sent as 16 bits of inverse depth: z = A / (raw - B), or 0 where unknown,
    with A and B in the header. The sender rounds raw down, so z comes out up to about z^2 / A too far (1 cm
    at 10 m by its default settings, by which it can represent nothing nearer than 0.152 m).

    Raises:
        BadFrameError: DEPTH_ENCODING, or DEPTH_COMPRESSED, the data are damaged, cut short, not one channel
            of 16 bits, or of more than MAX_PIXELS.
    """
    encoding, _, transport = (part.strip() for part in message.format.partition(';'))
    if encoding not in DEPTH_DTYPES:
        raise BadFrameError(
            Drop.DEPTH_ENCODING,
            f'depth has format {message.format!r}, expected it to begin with one of {sorted(DEPTH_DTYPES)}',
        )
    data = bytes(message.data)
    decode = decode_rvl if transport.endswith('rvl') else decode_image
    raw = _decode(message, data[_DEPTH_HEADER.size :], decode, Drop.DEPTH_COMPRESSED)
    if raw.dtype != np.uint16 or raw.ndim != 2:
        raise BadFrameError(
            Drop.DEPTH_COMPRESSED,
            f'depth of format {message.format!r} is {raw.dtype} of shape {raw.shape}, expected one channel '
            'of uint16: publish it by the transport compressedDepth',
        )
    return DecodedImage(message.header, encoding, raw if encoding == '16UC1' else _inverse_depth(data, raw))


def _channel_order(image_format: str) -> str:
    """`bgr` or `rgb`: how OpenCV decodes the colours of a format."""
    encoding, semicolon, compressed = image_format.partition(';')
    if not semicolon or 'compressed bgr' in compressed:
        return 'bgr'
    if encoding.strip() not in COLOUR_CHANNELS:
        raise BadFrameError(
            Drop.IMAGE_ENCODING,
            f'image has format {image_format!r}, expected it to begin with one of {sorted(COLOUR_CHANNELS)}',
        )
    return 'rgb'


def _decode(
    message: CompressedImage, data: bytes, decode: Callable[[bytes], np.ndarray], reason: Drop
) -> np.ndarray:
    try:
        return decode(data)
    except InputError as error:
        topic = 'image' if reason is Drop.IMAGE_COMPRESSED else 'depth'
        raise BadFrameError(
            reason,
            f'{topic} of format {message.format!r} and {len(message.data)} bytes {error}: '
            'check its publisher, and the network for lost packets',
        ) from error


def _inverse_depth(data: bytes, raw: np.ndarray) -> np.ndarray:
    """Metres (H, W) float32 of quantised inverse depth (H, W) uint16; 0 where unknown."""
    _, a, b = _DEPTH_HEADER.unpack_from(data)
    if not (np.isfinite([a, b]).all() and a > 0):
        raise BadFrameError(
            Drop.DEPTH_COMPRESSED,
            f'depth has the quantisation A {a:g} and B {b:g} in its header, expected finite numbers and A '
            'above 0: check its publisher',
        )
    shifted = raw.astype(np.float32) - np.float32(b)
    known = (raw > 0) & (shifted > 0)
    depth_m = np.zeros(raw.shape, np.float32)
    with np.errstate(over='ignore'):
        np.divide(np.float32(a), shifted, out=depth_m, where=known)
    depth_m[~np.isfinite(depth_m)] = 0
    return depth_m
