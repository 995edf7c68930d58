"""The training loop: steps, logs, checkpoints, validation, and resuming after a kill."""

import logging
import math
from pathlib import Path

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from dense_descriptor_ros.bop import BopDataset, open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dense_descriptor_ros.engine import Engine, choose_device, has_bfloat16
from dense_descriptor_ros.errors import ConfigError, DatasetError, TrainingError
from dense_descriptor_ros.model import DescriptorNet, ModelConfig
from dense_descriptor_ros.preprocess import network_input
from dense_descriptor_ros.training.calibrate import calibrated
from dense_descriptor_ros.training.decoded import keep_decoded
from dense_descriptor_ros.training.objective import Batch, objective_losses
from dense_descriptor_ros.training.pairs import ViewPairs
from dense_descriptor_ros.training.provenance import provenance
from dense_descriptor_ros.training.sampling import endless_batches
from dense_descriptor_ros.training.settings import OptimiserConfig, TrainConfig
from dense_descriptor_ros.training.trainer_state import load_state, save_state
from dense_descriptor_ros.training.validation import Validation, split_scenes, spread_views, validate

LOG = logging.getLogger(__name__)


class Trainer:
    """A run in its folder: `last.safetensors`, `best.safetensors`, `state.pt` and TensorBoard events."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.state_file = config.folder / 'state.pt'
        if self.state_file.exists() and not config.resume:
            raise ConfigError(
                f'{config.folder} already holds a run: go on with resume=true, or take another name='
            )
        torch.manual_seed(config.seed)
        self.category = load_category(config.category)
        self.provenance = provenance(config)
        self.train_data, self.val_data = split_scenes(self.open_data(), config.val_share)
        self.pairs = ViewPairs(self.train_data, self.category, config.pairs, config.augmentation, config.seed)
        self.device = choose_device(config.device)
        self.model = DescriptorNet(config.model, len(self.category.parts)).to(self.device)
        if config.init is not None:
            self.model.load_state_dict(weights_to_begin_with(config.init, config.model))
        self.model = self.model.to(memory_format=torch.channels_last)
        self.average = AveragedModel(
            self.model, multi_avg_fn=get_ema_multi_avg_fn(config.optimiser.ema), use_buffers=True
        )
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(),
            config.optimiser.learning_rate,
            weight_decay=config.optimiser.weight_decay,
        )
        self.step, self.best = 0, -1.0
        self.identity = config.identity() | {'data_hash': self.provenance['data_hash']}

    def open_data(self) -> BopDataset:
        """The data set, with its images decoded where they are kept."""
        dataset = open_bop(self.config.data, self.config.split)
        if self.config.decoded is None:
            return dataset
        return keep_decoded(dataset, self.config.decoded / self.provenance['data_hash'][:16])

    def run(self) -> None:
        """Train to the last step.

        Raises:
            TrainingError: the loss is not finite; the last checkpoint stays as it was.
        """
        if self.config.resume and self.state_file.exists():
            self.restore()
        LOG.info(
            '%d views to train on, %d to validate with, %s, from step %d',
            len(self.pairs),
            len(self.val_data.views),
            self.device,
            self.step,
        )
        settings, every = self.config.optimiser, self.config.every
        batches = endless_batches(
            self.pairs, settings.pairs, self.config.seed, self.step, self.config.workers
        )
        with (
            SummaryWriter(str(self.config.folder), purge_step=self.step) as writer,
            tqdm(total=settings.steps, initial=self.step, unit='step') as bar,
            logging_redirect_tqdm(),
        ):
            for batch in batches:
                if self.step >= settings.steps:
                    break
                losses = self.train_step(batch)
                self.step += 1
                bar.update()
                bar.set_postfix(loss=f'{losses["total"]:.3f}', refresh=False)
                if self.step % every.log_steps == 0:
                    self.log(writer, losses)
                if self.step % every.val_steps == 0 or self.step == settings.steps:
                    self.validate_and_keep(writer)
                if self.step % every.save_steps == 0 or self.step == settings.steps:
                    self.save()
        self.calibrate()

    def log(self, writer: SummaryWriter, losses: dict[str, float]) -> None:
        """Write the losses of the last step for TensorBoard."""
        for name, value in losses.items():
            writer.add_scalar(f'loss/{name}', value, self.step)
        writer.add_scalar('learning_rate', self.optimiser.param_groups[0]['lr'], self.step)

    def train_step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step; returns the losses."""
        # The losses draw points: a resumed run draws what the uninterrupted one would have drawn.
        torch.manual_seed(self.config.seed + self.step)
        self.model.train()
        for group in self.optimiser.param_groups:
            group['lr'] = learning_rate(self.step, self.config.optimiser)
        batch = {key: value.to(self.device) for key, value in batch.items()}
        rgb = batch['rgb'].flatten(0, 1).float() / 255
        channels = network_input(rgb, batch['depth_m'].flatten(0, 1), batch['K'].flatten(0, 1))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            output = self.model(channels.contiguous(memory_format=torch.channels_last))
        losses = objective_losses(output, batch, self.config.objective)
        self.optimiser.zero_grad(set_to_none=True)
        losses['total'].backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimiser.clip_norm)
        values = {name: float(value.detach()) for name, value in losses.items()}
        if not math.isfinite(values['total']) or not math.isfinite(float(norm)):
            raise TrainingError(
                f'step {self.step}: losses {values}, gradient norm {float(norm)}; stopped before the weights '
                f'changed, and {self.config.folder} keeps its last good checkpoint. Train again with a lower '
                'optimiser.learning_rate under another name='
            )
        self.optimiser.step()
        self.average.update_parameters(self.model)
        return values | {'gradient_norm': float(norm)}

    def validate_and_keep(self, writer: SummaryWriter) -> None:
        """Validate the averaged weights, log, and keep them if they are the best so far."""
        result = self.validation()
        for name, value in result.metrics.items():
            writer.add_scalar(f'val/{name}', value, self.step)
        for number, picture in enumerate(result.pictures):
            writer.add_image(f'val/{number}', picture, self.step, dataformats='HWC')
        LOG.info('step %d: %s', self.step, ', '.join(f'{k} {v:.3f}' for k, v in result.metrics.items()))
        if result.score > self.best:
            self.best = result.score
            save_checkpoint(self.config.folder / 'best.safetensors', self.checkpoint(result.metrics))

    def validation(self) -> Validation:
        """Figures of the averaged weights on the validation scenes."""
        engine = Engine(self.checkpoint({}), self.config.device)
        return validate(engine, self.val_data, spread_views(self.val_data.views, self.config.val_images))

    def calibrate(self) -> None:
        """Fit the confidence of the checkpoints that are kept, on the validation scenes."""
        views = spread_views(self.val_data.views, self.config.calibration_images)
        for name in ('best.safetensors', 'last.safetensors'):
            path = self.config.folder / name
            try:
                checkpoint = calibrated(load_checkpoint(path), self.val_data, views, self.config.device)
                save_checkpoint(path, checkpoint)
            except DatasetError as error:
                LOG.warning('%s keeps scores that are no probabilities. %s', path, error)

    def checkpoint(self, metrics: dict[str, float]) -> Checkpoint:
        """The averaged weights with their provenance."""
        finite = {name: round(value, 4) for name, value in metrics.items() if math.isfinite(value)}
        model = self.average.module
        if not isinstance(model, DescriptorNet):
            raise TypeError(f'the average is of a {type(model).__name__}')
        return Checkpoint(
            model,
            self.config.model,
            self.category,
            self.provenance | {'step': self.step},
            {'validation': finite} if finite else {},
        )

    def save(self) -> None:
        """Write the state to resume from, and the averaged weights as `last.safetensors`."""
        save_state(
            self.state_file,
            {
                'step': self.step,
                'best': self.best,
                'identity': self.identity,
                'model': self.model.state_dict(),
                'average': self.average.state_dict(),
                'optimiser': self.optimiser.state_dict(),
            },
        )
        save_checkpoint(self.config.folder / 'last.safetensors', self.checkpoint({}))

    def restore(self) -> None:
        """Take up a stopped run where its last saved state left it."""
        state = load_state(self.state_file, self.identity)
        self.step, self.best = state['step'], state['best']
        self.model.load_state_dict(state['model'])
        self.average.load_state_dict(state['average'])
        self.optimiser.load_state_dict(state['optimiser'])


def weights_to_begin_with(path: Path, config: ModelConfig) -> dict[str, torch.Tensor]:
    """Weights of a checkpoint of the same architecture.

    Raises:
        CheckpointError: the file cannot be used.
        ConfigError: its network is another one.
    """
    checkpoint = load_checkpoint(path)
    if checkpoint.config != config:
        raise ConfigError(f'init={path} holds {checkpoint.config}, but the run is to train {config}')
    return checkpoint.model.state_dict()


def learning_rate(step: int, config: OptimiserConfig) -> float:
    """Linear warm-up, then half a cosine to 0 at the last step."""
    warm = min(1.0, (step + 1) / max(config.warmup_steps, 1))
    share = min(1.0, step / config.steps)
    return config.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * share))
