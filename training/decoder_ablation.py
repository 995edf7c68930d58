"""What each step from votes to frames is worth: a checkpoint with steps of the decoding left out.

python training/decoder_ablation.py data=data/mugs_test split=test [checkpoint=runs/mug/best.safetensors]
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import hydra
from omegaconf import DictConfig

from dense_descriptor_ros.bop import BopDataset, open_bop
from dense_descriptor_ros.checkpoint import SHIPPED, Checkpoint, load_checkpoint
from dense_descriptor_ros.decode import DecodeConfig
from dense_descriptor_ros.engine import Engine
from dense_descriptor_ros.files import write_json
from dense_descriptor_ros.predict import predict_dataset
from dense_descriptor_ros.prism import PrismConfig
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.revolution import RevolutionConfig
from dense_descriptor_ros.training.evaluate import read_config
from dense_descriptor_ros.training.evaluation import EvaluateConfig, finite
from dense_descriptor_ros.training.metrics.acf_metrics import acf_metrics
from dense_descriptor_ros.training.metrics.predictions import parse_predictions
from dense_descriptor_ros.training.metrics.truth import load_truth

COLUMNS = ('ap_20mm_10deg', 'ap_10mm_5deg', 'precision', 'axis_deg_p50')
NEVER, FIRM = 1e-9, 1e-4
NO_PRISM = PrismConfig(explained_below=NEVER)
VOTES_ALONE = RevolutionConfig(axis_rad=FIRM, centre_m=FIRM)
"""So sure of the votes' axis that the surface does not move it."""

Variant = Callable[[Checkpoint], tuple[Checkpoint, DecodeConfig]]
VARIANTS: dict[str, Variant] = {
    'as it is': lambda c: (c, DecodeConfig()),
    'scores by the plain formula': lambda c: (replace(c, confidence=None), DecodeConfig()),
    'plain, and the handle counts for nothing': lambda c: (
        replace(c, confidence=None),
        DecodeConfig(hidden_hallmark=1.0),
    ),
    'square mugs as surfaces of revolution': lambda c: (c, DecodeConfig(prism=NO_PRISM)),
    'axis by votes alone': lambda c: (c, DecodeConfig(revolution=VOTES_ALONE, prism=NO_PRISM)),
    'votes of confident cells only (0.3)': lambda c: (c, DecodeConfig(min_object_score=0.3)),
}


def decoder_ablation(
    checkpoint: Checkpoint, dataset: BopDataset, device: str, depth_folder: str
) -> dict[str, Any]:
    """Figures by variant and part."""
    truth, rows = load_truth(dataset), {}
    for name, variant in VARIANTS.items():
        changed, config = variant(checkpoint)
        predictions, times_s = parse_predictions(
            predict_dataset(Engine(changed, device, config), dataset, depth_folder)
        )
        rows[name] = acf_metrics(truth, predictions, times_s)['parts']
    return rows


def print_table(rows: dict[str, Any]) -> None:
    """Markdown, as the docs show it: body, handle and opening in each cell."""
    print('\n| | ' + ' | '.join(COLUMNS) + ' |')
    print('|' + '---|' * (len(COLUMNS) + 1))
    for name, parts in rows.items():
        cells = [', '.join(f'{row[column]:.3f}' for row in parts.values()) for column in COLUMNS]
        print(f'| {name} | ' + ' | '.join(cells) + ' |')


def run(config: EvaluateConfig) -> None:
    """Measure, keep and print the figures."""
    dataset = open_bop(config.data, config.split)
    rows = decoder_ablation(
        load_checkpoint(config.checkpoint or SHIPPED), dataset, config.device, config.depth
    )
    path = config.folder / 'decoder_ablation.json'
    write_json(path, finite(rows), indent=1)
    print_table(rows)
    print(f'\n{path}')


@hydra.main(version_base=None, config_path='config', config_name='evaluate')
def main(config: DictConfig) -> None:
    """Command line."""
    with errors_in_one_line():
        run(read_config(config))


if __name__ == '__main__':
    main()
