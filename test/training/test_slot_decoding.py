import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from tiny_bop import write_tiny_bop

from dense_descriptor_ros.errors import ConfigError, DatasetError
from dense_descriptor_ros.model import ModelConfig
from dense_descriptor_ros.training.decode_slots import DecodeSlotsConfig, run
from dense_descriptor_ros.training.objectives.setcon import SetCon, SetConConfig
from dense_descriptor_ros.training.slots.decoding import DecodingConfig, train_decoder
from dense_descriptor_ros.training.slots.pictures import coloured_masks, picture, slot_colours
from dense_descriptor_ros.training.sources.image import ImageSource, LabelledImage, guessed_intrinsics

SIDE, SQUARE = 16, 6
QUICK = DecodingConfig(steps=150, batch=32, learning_rate=3e-3, channels=16)


class Squares(ImageSource):
    """A bright square somewhere on a dark ground."""

    def __init__(self, count=150):
        self.places = np.random.default_rng(0).integers(0, SIDE - SQUARE + 1, (count, 2))

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        rgb = np.full((SIDE, SIDE, 3), 20, np.uint8)
        row, column = self.places[index]
        rgb[row : row + SQUARE, column : column + SQUARE] = (220, 180, 40)
        return LabelledImage(rgb, np.zeros((SIDE, SIDE), np.float32), guessed_intrinsics(SIDE, SIDE))


class Knows:
    """Slots that hold where the square is: its extent along both axes."""

    frame_px = SIDE

    def __init__(self):
        self.seen = 0

    def slots(self, channels):
        self.seen += len(channels)
        bright = (channels[:, 0] > 0).float()
        profile = torch.cat([bright.amax(1), bright.amax(2)], 1)
        return torch.stack([profile, torch.zeros_like(profile)], 1)


class KnowsNothing:
    frame_px = SIDE

    def slots(self, channels):
        return torch.ones(len(channels), 2, 2 * SIDE)


def test_a_decoder_of_good_slots_beats_the_mean_image_by_far():
    model = Knows()
    result = train_decoder(model, Squares(), QUICK)
    assert model.seen == 150
    assert len(result.errors) == len(result.mean_image_errors) == 30
    assert result.mse < 0.5 * result.mean_image_mse
    assert result.picture.shape == (3 * SIDE, 6 * SIDE, 3)
    assert not result.decoder.training


def test_a_decoder_of_slots_that_know_nothing_does_not_beat_the_mean_image():
    result = train_decoder(KnowsNothing(), Squares(), QUICK)
    assert result.mse > 0.9 * result.mean_image_mse


def test_the_mean_image_is_of_the_images_that_are_not_held_out():
    source = Squares(10)
    result = train_decoder(KnowsNothing(), source, DecodingConfig(steps=1, channels=2, batch=3))
    images = np.stack([source[k].rgb for k in range(10)]) / 255
    expected = ((images[8:] - images[:8].mean(0)) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(result.mean_image_errors, expected, rtol=1e-5)


def test_the_errors_are_those_of_what_the_decoder_paints():
    source = Squares(10)
    result = train_decoder(Knows(), source, DecodingConfig(steps=2, channels=2, batch=3))
    channels = torch.zeros(1, 9, SIDE, SIDE)
    channels[0, 0] = torch.from_numpy(source[9].rgb[..., 0] / 255 - 0.45)
    with torch.no_grad():
        painted = result.decoder(Knows().slots(channels)).image[0].permute(1, 2, 0).numpy()
    assert result.errors[-1] == pytest.approx(((painted - source[9].rgb / 255) ** 2).mean(), rel=1e-4)


def test_the_same_seed_trains_the_same_decoder_and_leaves_the_model_as_it_is():
    settings = DecodingConfig(steps=3, channels=2, batch=4)
    model = torch.nn.Linear(2, 2)
    model.frame_px = SIDE
    model.slots = lambda channels: model(channels.mean((2, 3))[:, None, :2])
    before = model.weight.clone()
    runs = [train_decoder(model, Squares(10), settings) for _ in range(2)]
    assert np.array_equal(runs[0].errors, runs[1].errors)
    assert model.weight.grad is None
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize('count', [0, 1, 2])
def test_too_few_images_are_refused(count):
    with pytest.raises(DatasetError, match=f'{count} images'):
        train_decoder(Knows(), Squares(count), QUICK)


@pytest.mark.parametrize(
    ('key', 'value'), [('steps', 0), ('batch', -1), ('channels', 0), ('held_out', 0.0), ('held_out', 1.0)]
)
def test_settings_outside_their_range_are_refused(key, value):
    with pytest.raises(ConfigError, match=f'decoder.{key} is {value}'):
        DecodingConfig(**{key: value})


def test_each_slot_has_its_colour_where_its_mask_is():
    masks = torch.tensor([[[[1.0, 0]], [[0, 1.0]]]])
    over = coloured_masks(torch.zeros(1, 3, 1, 2), masks)
    torch.testing.assert_close(over[0, :, 0].T, slot_colours(2) / 2)
    assert len({tuple(colour.tolist()) for colour in slot_colours(8)}) == 8


def test_a_picture_has_images_in_columns_and_kinds_in_rows():
    first, second = torch.zeros(2, 3, 2, 2), torch.ones(2, 3, 2, 2)
    first[1] = 2.0
    shown = picture([first, second])
    assert shown.shape == (4, 4, 3)
    assert shown[..., 0].tolist() == [[0, 0, 255, 255]] * 2 + [[255] * 4] * 2


def test_the_program_writes_the_decoder_the_errors_and_a_picture(tmp_path, capsys):
    torch.manual_seed(0)
    objective = SetCon(
        SetConConfig(slots=2, slot_width=8, hidden=8, size_px=64), ModelConfig(last_stage_channels=32)
    )
    checkpoint = tmp_path / 'run' / 'last.safetensors'
    objective.save(checkpoint, {}, {})
    data = write_tiny_bop(tmp_path / 'data')
    settings = DecodingConfig(steps=2, batch=2, channels=2)
    run(DecodeSlotsConfig(checkpoint, data, settings, split='test', device='cpu', workers=0))
    folder = tmp_path / 'run' / 'decode_slots'
    metrics = json.loads((folder / 'metrics.json').read_text())
    assert metrics['held_out_images'] == 1
    assert f'{metrics["mse"]:.5f}' in capsys.readouterr().out
    assert load_file(folder / 'decoder.safetensors')['layers.0.weight'].shape[:2] == (8, 2)
    assert (folder / 'held_out.png').is_file()


def test_the_configuration_file_has_every_key_and_its_default():
    path = Path(__file__).parents[2] / 'training' / 'config' / 'decode_slots.yaml'
    values = yaml.safe_load(path.read_text())
    decoder = values.pop('decoder')
    assert DecodingConfig(**decoder) == DecodingConfig()
    assert set(decoder) == set(DecodingConfig.__dataclass_fields__)
    fields = set(DecodeSlotsConfig.__dataclass_fields__) - {'decoder'}
    assert set(values) - {'hydra', 'defaults'} == fields
    defaults = DecodeSlotsConfig(Path('x'), Path('y'), DecodingConfig())
    given = fields - {'checkpoint', 'data'}
    assert {name: values[name] for name in given} == {name: getattr(defaults, name) for name in given}
