"""Train descriptors and affordance frames: `python training/train.py data=data/mugs`."""

import logging
import sys

import hydra
from omegaconf import DictConfig

from dense_descriptor_ros.errors import DenseDescriptorError
from dense_descriptor_ros.training.settings import read_settings
from dense_descriptor_ros.training.trainer import Trainer


@hydra.main(version_base='1.3', config_path='config', config_name='train')
def main(config: DictConfig) -> None:
    """Train as configured; errors of the package end the program with one line."""
    logging.basicConfig(level=logging.INFO)
    try:
        Trainer(read_settings(config)).run()
    except (DenseDescriptorError, OSError) as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
