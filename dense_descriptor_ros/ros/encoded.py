"""PNG and JPEG from a network: walked through from end to end before OpenCV decodes them.

OpenCV allocates whatever size a header declares, and some of its versions take half a file for a whole one.

PNG: https://www.w3.org/TR/png/#5Chunk-layout, JPEG: https://www.w3.org/Graphics/JPEG/itu-t81.pdf, annex B.
"""

import re
import zlib

import cv2
import numpy as np

from dense_descriptor_ros.errors import InputError

MAX_PIXELS = 64_000_000
"""More is refused before anything is allocated."""

_PNG = b'\x89PNG\r\n\x1a\n'
_JPEG = b'\xff\xd8\xff'
_JPEG_MARKER = re.compile(rb'\xff([\x01-\xcf\xd8-\xfe])')
"""Any but restarts; within coded pixels 0xff is followed by 0."""
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = {0x01, 0xD8}
"""Markers without a segment."""
_JPEG_END = 0xD9


def decode_image(data: bytes) -> np.ndarray:
    """Pixels of a PNG or JPEG: (H, W), (H, W, 3) or (H, W, 4), uint8 or uint16, colours as BGR.

    Raises:
        InputError: it is neither, damaged, cut short, or of more than MAX_PIXELS.
    """
    if data.startswith(_PNG):
        width, height = _png_size(data)
    elif data.startswith(_JPEG):
        width, height = _jpeg_size(data)
    else:
        raise InputError('is neither JPEG nor PNG')
    check_size(width, height)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise InputError(f'cannot be decoded by OpenCV ({" ".join(str(error).split())})') from error
    if pixels is None or pixels.shape[:2] != (height, width):
        raise InputError(f'cannot be decoded by OpenCV, though its header says {width}x{height}')
    return pixels


def check_size(width: int, height: int) -> None:
    """Raise InputError for an image that is empty or has more than MAX_PIXELS."""
    if not 0 < width * height <= MAX_PIXELS:
        raise InputError(f'declares {width}x{height} pixels, expected 1 to {MAX_PIXELS}')


def _png_size(data: bytes) -> tuple[int, int]:
    """Width and height of a PNG whose every chunk is there and has its checksum."""
    size = None
    at = len(_PNG)
    while (end := at + 12 + _number(data, at, 4)) <= len(data):
        kind = data[at + 4 : at + 8]
        if zlib.crc32(data[at + 4 : end - 4]) != _number(data, end - 4, 4):
            raise InputError(f'has a wrong checksum in the PNG chunk {kind!r} at byte {at}')
        if (kind == b'IHDR') != (size is None):
            raise InputError(f'has the PNG chunk {kind!r} where another one belongs')
        if kind == b'IHDR':
            size = _number(data, at + 8, 4), _number(data, at + 12, 4)
        elif kind == b'IEND' and size:
            return size
        at = end
    raise InputError('is cut short: the end of the PNG is missing')


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG that goes on to its end marker."""
    size = None
    at = 2
    while found := _JPEG_MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == _JPEG_END and size:
            return size
        if marker in _JPEG_FRAMES:
            if size:
                raise InputError('has two JPEG frames, expected one')
            size = _number(data, at + 5, 2), _number(data, at + 3, 2)
        if marker not in _JPEG_ALONE:
            at += _number(data, at, 2)
    raise InputError('is cut short: the end marker of the JPEG is missing')


def _number(data: bytes, at: int, length: int) -> int:
    """Big-endian unsigned integer at a byte."""
    return int.from_bytes(data[at : at + length], 'big')
