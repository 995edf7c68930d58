"""Compressed images: formats of image_transport, and whatever a network makes of them."""

import array
import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header
from test_rvl import encode_rvl

from dense_descriptor_ros.ros.compressed import decompress_depth, decompress_image
from dense_descriptor_ros.ros.conversions import COLOUR_CHANNELS, depth_to_metres, image_to_rgb, rgbd_frame
from dense_descriptor_ros.ros.drops import BadFrameError, Drop

ROOT = Path(__file__).parents[2]
HEADER = Header(frame_id='optical')
DEPTH_MAX, QUANTISATION = 10.0, 100.0  # defaults of compressed_depth_image_transport
A = QUANTISATION * (QUANTISATION + 1)
B = 1 - A / DEPTH_MAX

V, U = np.mgrid[:24, :32]
RGB = np.stack([40 + 3 * U, 60 + 3 * V, 220 - U - V], 2).astype(np.uint8)  # smooth, for JPEG
DEPTH_MM = (700 + 10 * U + V**2).astype(np.uint16)
DEPTH_MM[3:6, 7:20] = 0


def compressed(image_format: str, data: bytes) -> Any:
    """As rclpy has it."""
    message = CompressedImage(header=HEADER, format=image_format)
    message.data = array.array('B', data)
    return message


def encode(extension: str, pixels: np.ndarray, *settings: int) -> bytes:
    return cv2.imencode(extension, pixels, settings)[1].tobytes()


def published(encoding: str, codec: str) -> Any:
    """RGB in an encoding, compressed as compressed_image_transport does it: colours as BGR."""
    held = RGB[..., 1] if encoding == 'mono8' else RGB[..., ::-1]
    target = {'mono8': {'jpeg': 'mono8', 'png': ''}[codec]}.get(encoding, 'bgr8')
    data = encode({'jpeg': '.jpg', 'png': '.png'}[codec], held)
    return compressed(f'{encoding}; {codec} compressed {target}', data)


def quantised(depth_m: np.ndarray) -> np.ndarray:
    """Inverse depth as compressed_depth_image_transport sends 32FC1."""
    with np.errstate(invalid='ignore', divide='ignore'):
        return np.where(depth_m < DEPTH_MAX, A / depth_m + B, 0).astype(np.uint16)


def depth_message(image_format: str, raw: np.ndarray, a: float = A, b: float = B) -> Any:
    data = encode_rvl(raw) if image_format.endswith('rvl') else encode('.png', raw)
    return compressed(image_format, struct.pack('<iff', 0, a, b) + data)


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    parts = [
        struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts)


def png_of(width: int, height: int, rows: bytes = b'') -> bytes:
    """RGB of 8 bits."""
    size = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return png((b'IHDR', size), (b'IDAT', zlib.compress(rows)), (b'IEND', b''))


@pytest.mark.parametrize('codec', ['jpeg', 'png'])
@pytest.mark.parametrize('encoding', COLOUR_CHANNELS)
def test_image_of_image_transport(encoding: str, codec: str) -> None:
    decoded = decompress_image(published(encoding, codec))
    expected = np.repeat(RGB[..., 1:2], 3, 2) if encoding == 'mono8' else RGB
    assert decoded.header == HEADER
    assert (decoded.height, decoded.width) == (24, 32)
    assert decoded.encoding == ('mono8' if encoding == 'mono8' else 'bgr8')
    np.testing.assert_allclose(image_to_rgb(decoded), expected, atol=5 if codec == 'jpeg' else 0)


@pytest.mark.parametrize(
    'image_format',
    ['jpeg', 'jpg', 'JPEG', 'png', '', 'rgb8; jpeg compressed bgr8', 'yuv422_yuy2; jpeg compressed bgr8'],
)
@pytest.mark.parametrize(('kind', 'tolerance'), [('JPEG', 5), ('PNG', 0)])
def test_a_file_shows_true_colours(image_format: str, kind: str, tolerance: int) -> None:
    """Whatever its format says, what is in the data counts."""
    file = io.BytesIO()
    PIL.Image.fromarray(RGB).save(file, kind, **({'quality': 95} if kind == 'JPEG' else {}))
    rgb = image_to_rgb(decompress_image(compressed(image_format, file.getvalue())))
    np.testing.assert_allclose(rgb, RGB, atol=tolerance)


@pytest.mark.parametrize('image_format', ['rgb8; png compressed ', 'rgb8; png compressed rgb8', 'bgr8; png'])
def test_pixels_compressed_without_conversion_are_rgb(image_format: str) -> None:
    decoded = decompress_image(compressed(image_format, encode('.png', RGB)))
    assert decoded.encoding == 'rgb8'
    assert (image_to_rgb(decoded) == RGB).all()


@pytest.mark.parametrize(
    ('mode', 'encoding'), [('RGBA', 'bgra8'), ('LA', 'bgra8'), ('P', 'bgr8'), ('L', 'mono8'), ('1', 'mono8')]
)
def test_every_png_of_8_bits_or_less(mode: str, encoding: str) -> None:
    picture = PIL.Image.fromarray(RGB).convert(mode)
    file = io.BytesIO()
    picture.save(file, 'PNG')
    decoded = decompress_image(compressed('png', file.getvalue()))
    assert decoded.encoding == encoding
    assert (image_to_rgb(decoded) == np.asarray(picture.convert('RGB'))).all()


def test_known_bytes() -> None:
    red_blue = png_of(2, 1, bytes([0, 255, 0, 0, 0, 0, 255]))
    decoded = decompress_image(compressed('rgb8; png compressed bgr8', red_blue))
    assert decoded.pixels.tolist() == [[[0, 0, 255], [255, 0, 0]]]
    assert (decoded.step, decoded.data.tolist()) == (6, [0, 0, 255, 255, 0, 0])


@pytest.mark.parametrize('setting', [cv2.IMWRITE_JPEG_PROGRESSIVE, cv2.IMWRITE_JPEG_RST_INTERVAL])
def test_jpeg_of_several_scans_or_restarts(setting: int) -> None:
    rgb = image_to_rgb(decompress_image(compressed('jpeg', encode('.jpg', RGB[..., ::-1], setting, 1))))
    np.testing.assert_allclose(rgb, RGB, atol=5)


def test_jpeg_of_a_webcam_has_zeros_after_its_end() -> None:
    data = encode('.jpg', RGB)
    rubbish = decompress_image(compressed('jpeg', data + bytes(100)))
    assert (rubbish.pixels == decompress_image(compressed('jpeg', data)).pixels).all()


def test_end_of_a_thumbnail_is_not_the_end() -> None:
    data, thumbnail = encode('.jpg', RGB), encode('.jpg', RGB[:8, :8])
    both = data[:2] + b'\xff\xe1' + struct.pack('>H', 2 + len(thumbnail)) + thumbnail + data[2:]
    assert decompress_image(compressed('jpeg', both)).pixels.shape == RGB.shape
    with pytest.raises(BadFrameError, match='cut short'):
        decompress_image(compressed('jpeg', both[:-10]))


@pytest.mark.parametrize(
    'image_format',
    ['16UC1; compressedDepth', '16UC1; compressedDepth png', '16UC1', '16UC1; compressedDepth rvl'],
)
def test_depth_in_millimetres(image_format: str) -> None:
    # The sender leaves the quantisation of 16UC1 as it finds it in memory.
    decoded = decompress_depth(depth_message(image_format, DEPTH_MM, np.nan, np.inf))
    assert (decoded.header, decoded.encoding, decoded.pixels.dtype) == (HEADER, '16UC1', np.uint16)
    assert (decoded.pixels == DEPTH_MM).all()
    np.testing.assert_allclose(depth_to_metres(decoded), DEPTH_MM / 1000, rtol=1e-6)


@pytest.mark.parametrize('codec', ['', ' png', ' rvl'])
def test_depth_in_metres_within_its_quantum(codec: str) -> None:
    depth_m = np.geomspace(0.16, 9.99, 24 * 32, dtype=np.float32).reshape(24, 32)
    depth_m[0, :4] = [np.nan, np.inf, 12.0, DEPTH_MAX]
    decoded = decompress_depth(depth_message(f'32FC1; compressedDepth{codec}', quantised(depth_m)))
    assert (decoded.encoding, decoded.pixels.dtype) == ('32FC1', np.float32)
    assert (decoded.pixels[0, :4] == 0).all()
    known, found = depth_m.ravel()[4:], decoded.pixels.ravel()[4:]
    assert (found >= known * (1 - 1e-6)).all()
    assert (found - known <= known * found / A * (1 + 1e-3)).all()
    assert (depth_to_metres(decoded) == decoded.pixels).all()


def test_depth_by_the_formula() -> None:
    raw = np.array([[0, 1, 2, 65535]], np.uint16)
    depth_m = decompress_depth(depth_message('32FC1; compressedDepth png', raw, 6.0, 1.0)).pixels
    assert depth_m.tolist() == [[0, 0, 6, np.float32(6 / 65534)]]


def test_data_of_a_bag_are_numpy() -> None:
    image, depth = (
        SimpleNamespace(header=HEADER, format=message.format, data=np.array(message.data))
        for message in (published('rgb8', 'png'), depth_message('16UC1; compressedDepth', DEPTH_MM))
    )
    info = SimpleNamespace(width=32, height=24, k=[50, 0, 16, 0, 50, 12, 0, 0, 1])
    frame = rgbd_frame(decompress_image(image), decompress_depth(depth), info)
    assert frame.header == HEADER
    assert (frame.rgb == RGB).all()
    np.testing.assert_allclose(frame.depth_m, DEPTH_MM / 1000, rtol=1e-6)


@pytest.mark.parametrize(
    ('image_format', 'pixels'),
    [
        ('bayer_rggb8; jpeg compressed mono8', RGB[..., 0]),
        ('16UC1; png compressed ', DEPTH_MM),
        ('mono16; png compressed ', DEPTH_MM),
        ('rgb16; png compressed bgr16', RGB.astype(np.uint16)),
        ('png', DEPTH_MM),
    ],
)
def test_images_that_the_node_does_not_take(image_format: str, pixels: np.ndarray) -> None:
    with pytest.raises(BadFrameError, match=image_format) as error:
        decompress_image(compressed(image_format, encode('.png', pixels)))
    assert error.value.reason is Drop.IMAGE_ENCODING


@pytest.mark.parametrize(
    ('image_format', 'data'),
    [
        ('rgb8; tiff compressed bgr8', b'II*\0' + bytes(100)),
        ('jpeg', b''),
        ('png', b'\x89PNG\r\n\x1a\n'),
        ('jpeg', b'\xff\xd8\xff'),
        ('png', png((b'IDAT', b''), (b'IEND', b''))),
        ('png', png_of(0, 0)),
        ('png', png_of(2, 1, bytes(3))),
        ('jpeg', encode('.jpg', RGB)[:-2] + encode('.jpg', RGB)[2:]),
    ],
)
def test_data_that_are_no_image(image_format: str, data: bytes) -> None:
    with pytest.raises(BadFrameError, match=f'image of format .* {len(data)} bytes .*: check') as error:
        decompress_image(compressed(image_format, data))
    assert error.value.reason is Drop.IMAGE_COMPRESSED


@pytest.mark.parametrize(
    ('message', 'reason'),
    [
        (depth_message('mono16; compressedDepth png', DEPTH_MM), Drop.DEPTH_ENCODING),
        (depth_message('', DEPTH_MM), Drop.DEPTH_ENCODING),
        (depth_message('16UC1; compressedDepth', RGB), Drop.DEPTH_COMPRESSED),
        (depth_message('16UC1; compressedDepth', RGB.astype(np.uint16)), Drop.DEPTH_COMPRESSED),
        (compressed('16UC1; png compressed ', encode('.png', DEPTH_MM)), Drop.DEPTH_COMPRESSED),
        (compressed('16UC1; compressedDepth', bytes(12)), Drop.DEPTH_COMPRESSED),
        (compressed('32FC1; compressedDepth rvl', bytes(3)), Drop.DEPTH_COMPRESSED),
        (depth_message('32FC1; compressedDepth', DEPTH_MM, 0.0), Drop.DEPTH_COMPRESSED),
        (depth_message('32FC1; compressedDepth', DEPTH_MM, np.nan), Drop.DEPTH_COMPRESSED),
        (depth_message('32FC1; compressedDepth', DEPTH_MM, A, np.inf), Drop.DEPTH_COMPRESSED),
    ],
)
def test_bad_depth(message: Any, reason: Drop) -> None:
    with pytest.raises(BadFrameError, match=r'^depth .*(expected|: check)') as error:
        decompress_depth(message)
    assert error.value.reason is reason


def jpeg_of(width: int, height: int) -> bytes:
    """RGB as a JPEG whose header says another size."""
    data = bytearray(encode('.jpg', RGB))
    at = data.index(b'\xff\xc0') + 5
    data[at : at + 4] = struct.pack('>HH', height, width)
    return bytes(data)


@pytest.mark.parametrize('data', [png_of(60000, 60000), jpeg_of(60000, 60000), png_of(2**31 - 1, 1)])
def test_a_bomb_is_not_decoded(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(cv2, 'imdecode', explode)
    with pytest.raises(BadFrameError, match=r'declares \d+x\d+ pixels, expected 1 to 64000000') as error:
        decompress_image(compressed('jpeg', data))
    assert error.value.reason is Drop.IMAGE_COMPRESSED
    with pytest.raises(BadFrameError, match='declares') as error:
        decompress_depth(compressed('16UC1; compressedDepth', bytes(12) + data))
    assert error.value.reason is Drop.DEPTH_COMPRESSED


SAMPLES = {
    'jpeg': (decompress_image, published('rgb8', 'jpeg')),
    'progressive': (
        decompress_image,
        compressed('jpeg', encode('.jpg', RGB, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)),
    ),
    'png': (decompress_image, published('bgr8', 'png')),
    'depth png': (decompress_depth, depth_message('16UC1; compressedDepth', DEPTH_MM)),
    'depth rvl': (decompress_depth, depth_message('16UC1; compressedDepth rvl', DEPTH_MM)),
    'metres': (decompress_depth, depth_message('32FC1; compressedDepth png', quantised(DEPTH_MM / 1000))),
}


@pytest.mark.parametrize('name', SAMPLES)
def test_cut_short(name: str) -> None:
    decompress, message = SAMPLES[name]
    data = bytes(message.data)
    assert decompress(message).pixels.shape[:2] == (24, 32)
    for length in {*range(0, len(data), 37), *range(len(data) - 9, len(data))}:
        with pytest.raises(BadFrameError) as error:
            decompress(compressed(message.format, data[:length]))
        assert error.value.reason in (Drop.IMAGE_COMPRESSED, Drop.DEPTH_COMPRESSED)


@pytest.mark.parametrize('name', SAMPLES)
def test_flipped_bits_give_an_image_or_an_error(name: str) -> None:
    decompress, message = SAMPLES[name]
    generator = np.random.default_rng(0)
    errors = 0
    for _ in range(300):
        data = np.array(message.data)
        at = generator.integers(len(data), size=generator.integers(1, 4))
        data[at] ^= generator.integers(1, 256, len(at)).astype(np.uint8)
        damaged = compressed(message.format, data.tobytes())
        try:
            decoded = decompress(damaged)
        except BadFrameError as error:
            assert error.reason.value.endswith(('_compressed', '_encoding'))
            errors += 1
            continue
        assert decoded.encoding in ('bgr8', 'mono8', '16UC1', '32FC1')
        assert np.isfinite(decoded.pixels).all()
        if decoded.pixels.shape[:2] != (24, 32):  # bytes of the size itself
            assert struct.pack('>HH', decoded.height, decoded.width) in bytes(damaged.data)
    # A checksum finds every one, but for the 12 bytes before it and what is flipped back.
    assert errors >= (290 if 'png' in name else 30)


WITHOUT_ROS = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('rclpy', 'sensor_msgs', 'std_msgs', 'rosidl_parser', 'cv_bridge'):
            raise ImportError(f'{name} is blocked')

sys.meta_path.insert(0, Block())
import dense_descriptor_ros.ros.bridge
import dense_descriptor_ros.ros.compressed
"""


def test_imports_without_ros() -> None:
    """For those who read bags."""
    result = subprocess.run([sys.executable, '-c', WITHOUT_ROS], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
