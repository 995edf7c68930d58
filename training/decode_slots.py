"""Trains a decoder on the slots of a trained objective, and tells how much of an image they keep.

python training/decode_slots.py checkpoint=runs/setcon/last.safetensors data=data/mugs decoder.steps=20000
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf
from safetensors.torch import save

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.engine import choose_device
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.files import write_atomically, write_image, write_json
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.training.objectives.loading import load_objective
from dense_descriptor_ros.training.slots.decoding import DecodingConfig, SlotModel, train_decoder
from dense_descriptor_ros.training.sources.open_source import open_source


@dataclass(frozen=True)
class DecodeSlotsConfig:
    """What is decoded, and where the results go."""

    checkpoint: Path
    data: Path
    decoder: DecodingConfig
    split: str = 'train'
    source: str = 'auto'
    category: str = 'mug'
    out: Path | None = None
    """None takes `decode_slots` beside the checkpoint."""
    device: str = 'auto'
    workers: int = 1

    @property
    def folder(self) -> Path:
        """Where the results go."""
        return self.out or self.checkpoint.parent / 'decode_slots'


def read_config(config: DictConfig) -> DecodeSlotsConfig:
    """The settings, checked.

    Raises:
        ConfigError: a setting is missing or outside its range.
    """
    for name in ('checkpoint', 'data'):
        if OmegaConf.is_missing(config, name):
            raise ConfigError(f'{name} is not given: expected {name}=PATH')
    values: dict[str, Any] = {str(key): value for key, value in config.items()}
    for name in ('checkpoint', 'data', 'out'):
        values[name] = None if values[name] is None else Path(str(values[name]))
    values['decoder'] = DecodingConfig(**values['decoder'])
    return DecodeSlotsConfig(**values)


def run(config: DecodeSlotsConfig) -> None:
    """Train, and write metrics.json, the decoder and a picture."""
    device = choose_device(config.device)
    model = load_objective(config.checkpoint).to(device)
    if not isinstance(model, SlotModel):
        raise ConfigError(
            f'checkpoint={config.checkpoint} has no slots: expected one of setcon or object_centric'
        )
    images = open_source(config.data, config.split, config.source, load_category(config.category))
    result = train_decoder(model, images, config.decoder, device, config.workers)
    metrics = {
        'mse': result.mse,
        'mean_image_mse': result.mean_image_mse,
        'held_out_images': len(result.errors),
        'decoder': asdict(config.decoder),
    }
    weights = {name: tensor.cpu().contiguous() for name, tensor in result.decoder.state_dict().items()}
    file = save(weights, {'decoder': json.dumps(asdict(config.decoder))})
    write_atomically(config.folder / 'decoder.safetensors', lambda path: path.write_bytes(file))
    write_json(config.folder / 'metrics.json', metrics, indent=1)
    write_image(config.folder / 'held_out.png', result.picture)
    print(f'held-out images        {len(result.errors)}')
    print(f'MSE                    {result.mse:.5f}')
    print(f'MSE of the mean image  {result.mean_image_mse:.5f}')
    print(config.folder)


@hydra.main(version_base=None, config_path='config', config_name='decode_slots')
def main(config: DictConfig) -> None:
    """Command line."""
    with errors_in_one_line():
        run(read_config(config))


if __name__ == '__main__':
    main()
