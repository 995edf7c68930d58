"""Every objective so small that it trains for a few steps within seconds, for tests."""

from pathlib import Path

from hydra import compose, initialize_config_dir

from dense_descriptor_ros.training import trainer
from dense_descriptor_ros.training.settings import TrainConfig, read_settings

CONFIG = Path(trainer.__file__).parent / 'config'
SHARED = [
    'split=test', 'val_share=0.5', 'device=cpu', 'workers=0', 'val_images=1', 'pairs.width=64',
    'pairs.height=64', 'pairs.points=32', 'model.descriptor_dim=4', 'model.pyramid_channels=16',
    'model.head_channels=16', 'model.last_stage_channels=32', 'optimiser.warmup_steps=1',
    'optimiser.batch=2', 'optimiser.steps=4', 'every.log_steps=1', 'every.save_steps=2', 'every.val_steps=4',
]  # fmt: skip
OWN = {
    'dense_contrastive': [],
    'setcon': ['slots=2', 'slot_width=16', 'hidden=16', 'size_px=64', 'gap=1'],
    'regional_contrast': ['samples=64', 'width=16', 'embedding=8', 'size=64'],
    'univip': ['scene_px=64', 'instance_px=32', 'hidden=32', 'projected=16', 'min_box_px=8'],
    'object_centric': [
        'token_width=16', 'slots=2', 'slot_width=16', 'projection_width=16', 'large_px=64', 'small_px=32',
        'small_crops=1',
    ],
}  # fmt: skip


def small_training(objective: str, data: Path, out: Path, *more: str) -> TrainConfig:
    """Settings of four steps on a data set of `tiny_bop` with three views a scene."""
    own = [f'objective.{setting}' for setting in OWN[objective]]
    places = [f'data={data}', f'out={out}', f'decoded={out}/decoded']
    with initialize_config_dir(str(CONFIG), version_base='1.3'):
        return read_settings(
            compose('train', [f'objective={objective}', *SHARED, *own, *places, f'name={objective}', *more])
        )
