import json
import re

import numpy as np
import pytest
from tiny_bop import HEIGHT, WIDTH, write_tiny_bop

from dense_descriptor_ros.bop import open_bop
from dense_descriptor_ros.engine import Engine
from dense_descriptor_ros.errors import DatasetError, InputError
from dense_descriptor_ros.frames import AffordanceFrame, Prediction
from dense_descriptor_ros.predict import main, predict_dataset, read_descriptors


class OneFrameEngine:
    """Finds one frame, a millimetre farther for every image; nothing in the second image."""

    def __init__(self):
        self.calls = 0

    def infer(self, rgb, depth_m, K):
        self.calls += 1
        assert rgb.shape == (HEIGHT, WIDTH, 3)
        assert depth_m.shape == (HEIGHT, WIDTH)
        descriptors = np.random.default_rng(self.calls).standard_normal((4, HEIGHT // 4, WIDTH // 4))
        descriptors /= np.linalg.norm(descriptors, axis=0)
        origin = np.array([0.1, -0.2, 0.8 + self.calls / 1000])
        found = AffordanceFrame('mug', 'handle', 0, 0.75, origin, np.array([0.0, 0, 1]))
        frames = [] if self.calls == 2 else [found]
        return Prediction(frames, descriptors.astype(np.float32), np.zeros((1, 1), np.float32), 0.01)


@pytest.fixture
def data(tmp_path):
    return write_tiny_bop(tmp_path / 'data')


def test_every_image_has_an_entry_in_millimetres(data):
    images = predict_dataset(OneFrameEngine(), open_bop(data, 'test'))['images']
    assert [(image['scene_id'], image['im_id']) for image in images] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert images[1] == {'scene_id': 0, 'im_id': 1, 'time_s': 0.01, 'frames': []}
    (frame,) = images[0]['frames']
    assert frame['origin_mm'] == pytest.approx([100, -200, 801])
    assert {key: frame[key] for key in ('category', 'instance', 'part', 'score', 'axis')} == {
        'category': 'mug',
        'instance': 0,
        'part': 'handle',
        'score': 0.75,
        'axis': [0, 0, 1],
    }


def test_descriptors_are_half_precision_and_of_unit_length(data, tmp_path):
    predict_dataset(OneFrameEngine(), open_bop(data, 'test'), descriptors_folder=tmp_path / 'd')
    assert sorted(path.name for path in (tmp_path / 'd').iterdir())[0] == '000000_000000.npz'
    low = read_descriptors(tmp_path / 'd' / '000001_000000.npz')
    assert (low.dtype, low.shape) == (np.float16, (4, HEIGHT // 4, WIDTH // 4))
    np.testing.assert_allclose(np.linalg.norm(low.astype(float), axis=0), 1, atol=2e-3)


def test_depth_comes_from_the_folder_that_is_named(data):
    for scene in (data / 'test').iterdir():
        (scene / 'depth').rename(scene / 'depth_noisy')
    assert len(predict_dataset(OneFrameEngine(), open_bop(data, 'test'), 'depth_noisy')['images']) == 4


def test_missing_depth_is_found_before_any_inference(data):
    (data / 'test' / '000001' / 'depth' / '000001.png').unlink()
    engine = OneFrameEngine()
    with pytest.raises(DatasetError, match=r'000001/depth/000001\.png.*1 of 4'):
        predict_dataset(engine, open_bop(data, 'test'))
    assert engine.calls == 0


def test_a_damaged_image_is_named(data):
    path = data / 'test' / '000001' / 'rgb' / '000000.png'
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DatasetError, match=r'000001/rgb/000000\.png'):
        predict_dataset(OneFrameEngine(), open_bop(data, 'test'))


def test_an_image_that_the_engine_refuses_is_named(data):
    class Refuses:
        def infer(self, rgb, depth_m, K):
            raise InputError('K is zero')

    with pytest.raises(DatasetError, match='000000, image 0: K is zero'):
        predict_dataset(Refuses(), open_bop(data, 'test'))


@pytest.fixture
def fake_checkpoint(monkeypatch):
    monkeypatch.setattr(Engine, 'load', lambda path, device: OneFrameEngine())


@pytest.mark.usefixtures('fake_checkpoint')
def test_command_line_writes_the_file(data, tmp_path, capsys):
    out = tmp_path / 'new' / 'predictions.json'
    main(['--bop', str(data), '--split', 'test', '--out', str(out)])
    assert len(json.loads(out.read_text())['images']) == 4
    assert '3 frames in 4 images' in capsys.readouterr().out


@pytest.mark.usefixtures('fake_checkpoint')
@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--bop', '{data}/none', '--out', '{data}/p.json'], 'no such split'),
        (['--bop', '{data}', '--split', 'train', '--out', '{data}/p.json'], r"holds ['test']"),
        (['--bop', '{data}', '--out', '{data}'], 'is a folder'),
        (['--bop', '{data}', '--out', '{data}/p.json', '--depth', 'none'], '4 of 4 images lack it'),
    ],
)
def test_command_line_errors_leave_no_file(data, arguments, message):
    with pytest.raises(SystemExit, match=f'^error: .*{re.escape(message)}'):
        main([argument.format(data=data) for argument in arguments])
    assert not (data / 'p.json').exists()


def test_command_line_names_a_missing_checkpoint(data):
    missing = data / 'no.safetensors'
    with pytest.raises(SystemExit, match=f'^error: {missing}'):
        main(['--bop', str(data), '--out', str(data / 'p.json'), '--checkpoint', str(missing)])


def test_damaged_descriptors_are_named(tmp_path):
    path = tmp_path / 'd.npz'
    path.write_bytes(b'PK\x03\x04 cut')
    with pytest.raises(DatasetError, match=r'd\.npz'):
        read_descriptors(path)
