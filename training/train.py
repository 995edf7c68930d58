"""Train descriptors and affordance frames: `python training/train.py data=data/mugs`."""

import logging

import hydra
from omegaconf import DictConfig

from dense_descriptor_ros.engine import choose_device
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.training.distributed import own_device, process_group
from dense_descriptor_ros.training.settings import read_settings
from dense_descriptor_ros.training.trainer import Trainer


@hydra.main(version_base='1.3', config_path='config', config_name='train')
def main(config: DictConfig) -> None:
    """Train as configured; errors of the package end the program with one line."""
    logging.basicConfig(level=logging.INFO)
    with errors_in_one_line():
        settings = read_settings(config)
        with process_group(choose_device(own_device(settings.device))):
            Trainer(settings).run()


if __name__ == '__main__':
    main()
