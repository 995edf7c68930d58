"""The same pixels with cv_bridge and without, and a cv_bridge that does not work."""

import array
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dense_descriptor_ros.ros import bridge as under_test
from dense_descriptor_ros.ros.bridge import find_cv_bridge, read_by_cv_bridge
from dense_descriptor_ros.ros.conversions import COLOUR_CHANNELS, DEPTH_DTYPES, depth_to_metres, image_to_rgb
from dense_descriptor_ros.ros.drops import BadFrameError, Drop

# As cv_bridge reads messages by `passthrough`, its faults included: it takes a row for whole pixels, with its
# padding, and beside numpy 2 it raises for the other byte order.
FAKE = """
import sys
import numpy as np

KINDS = {{'rgb8': ('u1', 3), 'bgr8': ('u1', 3), 'rgba8': ('u1', 4), 'bgra8': ('u1', 4), 'mono8': ('u1', 1),
         '16UC1': ('u2', 1), '32FC1': ('f4', 1)}}
{start}

class CvBridge:
    def imgmsg_to_cv2(self, img_msg, desired_encoding='passthrough'):
        assert desired_encoding == 'passthrough'
        kind, channels = KINDS[img_msg.encoding]
        if img_msg.is_bigendian == (sys.byteorder == 'little'):
            raise AttributeError('`newbyteorder` was removed from the ndarray class in NumPy 2.0')
        columns = img_msg.step // np.dtype(kind).itemsize // channels
        pixels = np.ndarray((img_msg.height, columns, channels), kind, img_msg.data)[:, :img_msg.width]
        pixels = np.ascontiguousarray(pixels[..., 0] if channels == 1 else pixels)
        return {result}
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a cv_bridge on the path of this process."""

    def install(start: str = '', result: str = 'pixels') -> None:
        (tmp_path / 'cv_bridge').mkdir()
        (tmp_path / 'cv_bridge' / '__init__.py').write_text(FAKE.format(start=start, result=result))

    monkeypatch.setattr(sys, 'path', [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, 'cv_bridge', raising=False)
    find_cv_bridge.cache_clear()
    yield install
    find_cv_bridge.cache_clear()
    sys.modules.pop('cv_bridge', None)


def image(encoding: str, padding: int, order: str) -> Any:
    """7x5 pixels and so many bytes of rubbish at the end of each row."""
    generator = np.random.default_rng(0)
    if encoding in DEPTH_DTYPES:
        pixels = generator.integers(0, 9000, (5, 7)).astype(DEPTH_DTYPES[encoding].newbyteorder(order))
    else:
        pixels = generator.integers(0, 256, (5, 7, COLOUR_CHANNELS[encoding])).astype(np.uint8)
    rows = np.hstack([pixels.reshape(5, -1).view(np.uint8), np.full((5, padding), 77, np.uint8)])
    return SimpleNamespace(
        header=None,
        height=5,
        width=7,
        encoding=encoding,
        is_bigendian=int(order == '>'),
        step=rows.shape[1],
        data=array.array('B', rows.tobytes()),
    )


def converted(message: Any) -> np.ndarray:
    return (depth_to_metres if message.encoding in DEPTH_DTYPES else image_to_rgb)(message)


def test_every_image_has_the_same_pixels_either_way(install: Install) -> None:
    install()
    bridge, reason = find_cv_bridge()
    assert bridge is not None and reason == ''
    read = 0
    for encoding in (*COLOUR_CHANNELS, *DEPTH_DTYPES):
        for padding in range(9):
            for order in '<>':
                message = image(encoding, padding, order)
                by_bridge = read_by_cv_bridge(bridge, message)
                assert (converted(by_bridge) == converted(message)).all()
                read += by_bridge is not message
    # In one byte order: paddings 0, 3 and 6 of three bytes a pixel, 0, 4 and 8 of four, and so on.
    assert read == sum(
        {'rgb8': 3, 'bgr8': 3, 'rgba8': 3, 'bgra8': 3, 'mono8': 9, '16UC1': 5, '32FC1': 3}.values()
    )


@pytest.mark.parametrize('data', [bytes, np.array])
def test_data_of_any_kind(install: Install, data: Callable[[Any], Any]) -> None:
    install()
    bridge, _ = find_cv_bridge()
    message = image('rgb8', 0, '<')
    expected = image_to_rgb(message)
    message.data = data(message.data)
    assert bridge is not None
    assert (image_to_rgb(read_by_cv_bridge(bridge, message)) == expected).all()


@pytest.mark.parametrize(
    ('fields', 'reason'),
    [
        ({'encoding': 'yuv422'}, Drop.IMAGE_ENCODING),
        ({'height': 0, 'data': b''}, Drop.IMAGE_SIZE),
        ({'width': 0}, Drop.IMAGE_SIZE),
        ({'step': 18}, Drop.IMAGE_STEP),
        ({'height': 6}, Drop.IMAGE_STEP),
        ({'height': 2**31, 'width': 2**31, 'step': 0}, Drop.IMAGE_STEP),
    ],
)
def test_bad_messages_never_reach_cv_bridge(fields: dict[str, Any], reason: Drop) -> None:
    message = SimpleNamespace(**{**vars(image('rgb8', 0, '<')), **fields})
    with pytest.raises(BadFrameError) as error:
        image_to_rgb(read_by_cv_bridge(None, message))  # type: ignore[arg-type]
    assert error.value.reason is reason


@pytest.mark.parametrize(
    ('start', 'result', 'sentence'),
    [
        (
            'import os; os.abort()',
            'pixels',
            'cv_bridge ends the process by SIGABRT; images are converted with',
        ),
        ("raise AttributeError('_ARRAY_API not found')", 'pixels', 'fails: AttributeError: _ARRAY_API not'),
        ('sys.exit(3)', 'pixels', 'fails: exit status 3;'),
        ('', 'pixels[::-1]', 'gives other pixels for rgb8'),
    ],
)
def test_a_cv_bridge_that_does_not_work(install: Install, start: str, result: str, sentence: str) -> None:
    install(start, result)
    bridge, reason = find_cv_bridge()
    assert bridge is None
    assert sentence in reason and np.__version__ in reason
    assert 'cv_bridge' not in sys.modules


def test_a_cv_bridge_that_hangs(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install('import time; time.sleep(60)')
    monkeypatch.setattr(under_test, 'TRIAL_TIMEOUT_S', 0.2)
    bridge, reason = find_cv_bridge()
    assert bridge is None
    assert 'does not answer within 0.2 s' in reason


def test_a_cv_bridge_that_fails_in_this_process_only(install: Install) -> None:
    install("if 'pytest' in sys.modules: raise RuntimeError('other libraries')")
    bridge, reason = find_cv_bridge()
    assert bridge is None
    assert 'raises RuntimeError: other libraries' in reason


def test_it_is_looked_for_once(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install()
    first = find_cv_bridge()
    monkeypatch.setattr(subprocess, 'run', None)
    assert find_cv_bridge() == first


def test_none_is_no_fault(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_test, 'find_spec', lambda _: None)
    assert find_cv_bridge() == (None, '')
