"""Reads TFRecord files of tf.train.Example messages, gzipped or not, without TensorFlow.

Sources: https://www.tensorflow.org/tutorials/load_data/tfrecord, https://protobuf.dev/programming-guides/encoding/
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from dense_descriptor_ros.errors import DatasetError

GZIP_MAGIC = b'\x1f\x8b'
CASTAGNOLI = 0x82F63B78
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""


def read_records(path: Path) -> Iterator[bytes]:
    """The records of a file, one at a time.

    Raises:
        DatasetError: the file is missing, cut short or damaged; the message names the record and its byte, in
            a gzipped file of the unpacked content.
    """
    try:
        with path.open('rb') as raw:
            zipped = raw.read(2) == GZIP_MAGIC
            raw.seek(0)
            stream = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if zipped else raw
            yield from framed_records(stream, path)
    except FileNotFoundError:
        raise DatasetError(f'{path}: no such file') from None


def framed_records(stream: BinaryIO, path: Path) -> Iterator[bytes]:
    """Records of a stream: each is its length, the length's checksum, the data and the data's checksum."""
    offset = 0
    for number in range(1 << 62):
        here = f'{path}: record {number} at byte {offset}'
        try:
            head = stream.read(12)
            if not head:
                return
            if len(head) < 12 or masked_crc(head[:8]) != struct.unpack('<I', head[8:])[0]:
                raise DatasetError(f'{here}: no record begins here; the file is damaged or no TFRecord file')
            (length,) = struct.unpack('<Q', head[:8])
            body = stream.read(length + 4)
        except (EOFError, OSError, zlib.error) as error:
            raise DatasetError(f'{here}: cannot be unpacked ({error})') from error
        if len(body) < length + 4:
            raise DatasetError(f'{here}: {len(body)} bytes follow, expected {length + 4}; it was cut short')
        yield body[:length]
        offset += 16 + length


def masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and shifted as TFRecord stores it; bit by bit, for the few bytes of a length."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (CASTAGNOLI if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def byte_features(record: bytes) -> dict[str, np.ndarray]:
    """The features of an Example that are lists of byte strings: by name, all strings joined, as uint8.

    Raises:
        ValueError: the record is no Example.
    """
    found: dict[str, np.ndarray] = {}
    for features in submessages(memoryview(record), 1):
        for entry in submessages(features, 1):
            name = b''.join(submessages(entry, 1)).decode()
            for feature in submessages(entry, 2):
                for values in submessages(feature, 1):
                    found[name] = joined(values)
    return found


def joined(values: memoryview) -> np.ndarray:
    """All byte strings of a BytesList, one after the other."""
    raw = np.frombuffer(values, np.uint8)
    # Images are often stored as strings of one byte each, three bytes on disk: too many for a loop.
    single = raw[: len(raw) // 3 * 3].reshape(-1, 3)
    if single.size == raw.size and (single[:, :2] == (1 << 3 | BYTES, 1)).all():
        return single[:, 2].copy()
    return np.frombuffer(b''.join(submessages(values, 1)), np.uint8)


def submessages(message: memoryview, number: int) -> Iterator[memoryview]:
    """Content of each field of a message that has this number and a length: strings, bytes and messages."""
    position = 0
    while position < len(message):
        key, position = varint(message, position)
        size, position = field_size(message, position, key & 7)
        if position + size > len(message):
            raise ValueError(f'a field of {size} bytes at {position} of {len(message)}')
        if key == number << 3 | BYTES:
            yield message[position : position + size]
        position += size


def field_size(message: memoryview, position: int, wire_type: int) -> tuple[int, int]:
    """How many bytes a field's content has, and where it begins."""
    if wire_type == VARINT:
        return varint(message, position)[1] - position, position
    if wire_type == BYTES:
        return varint(message, position)
    if wire_type in (FIXED64, FIXED32):
        return (8 if wire_type == FIXED64 else 4), position
    raise ValueError(f'wire type {wire_type} at {position}')


def varint(message: memoryview, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, low bits first, and where it ends."""
    value = 0
    for count, byte in enumerate(message[position : position + 10]):
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value, position + count + 1
    raise ValueError(f'no number ends after {position}')
