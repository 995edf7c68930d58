"""The training loop: steps, logs, checkpoints, validation, and resuming after a kill."""

import logging
import math
from collections.abc import Iterator
from contextlib import nullcontext
from typing import cast

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.engine import choose_device, has_bfloat16
from dense_descriptor_ros.errors import ConfigError, TrainingError
from dense_descriptor_ros.training.decoded import keep_decoded
from dense_descriptor_ros.training.distributed import any_of, own_device, rank, wait_for_all
from dense_descriptor_ros.training.initial import begin_with
from dense_descriptor_ros.training.objectives.catalogue import build_objective
from dense_descriptor_ros.training.objectives.objective import Batch, Objective
from dense_descriptor_ros.training.optimiser import build_optimiser, learning_rate
from dense_descriptor_ros.training.provenance import provenance
from dense_descriptor_ros.training.sampling import endless_batches
from dense_descriptor_ros.training.settings import TrainConfig
from dense_descriptor_ros.training.sources.bop import BopImages
from dense_descriptor_ros.training.sources.image import ImageSource
from dense_descriptor_ros.training.sources.open_source import open_source
from dense_descriptor_ros.training.sources.split import split_source
from dense_descriptor_ros.training.trainer_state import load_state, save_state

LOG = logging.getLogger(__name__)
MAX_SKIPPED_IN_A_ROW = 20
SPREAD_FLOOR = 0.01
"""Below this standard deviation of some dimension the descriptors are about to be one constant."""


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
        self.train_source, self.val_source = split_source(self.open_source(), config.val_share)
        self.device = choose_device(own_device(config.device))
        self.objective = build_objective(
            config.objective, config.model, self.category, config.pairs, config.augmentation
        )
        self.items = self.objective.items(self.train_source, config.seed)
        if config.init is not None:
            begin_with(self.objective, config.init)
        self.objective = self.objective.to(self.device).to(memory_format=torch.channels_last)
        self.average = AveragedModel(
            self.objective, multi_avg_fn=get_ema_multi_avg_fn(config.optimiser.ema), use_buffers=True
        )
        self.optimiser = build_optimiser(self.objective, config.optimiser)
        self.network: nn.Module = self.objective
        self.step, self.best = 0, -math.inf
        self.skipped, self.skipped_in_a_row, self.warned = 0, 0, False
        self.identity = config.identity() | {'data_hash': self.provenance['data_hash']}

    def open_source(self) -> ImageSource:
        """The data set, with its images decoded where they are kept."""
        config = self.config
        source = open_source(config.data, config.split, config.source, self.category)
        if config.decoded is None or not isinstance(source, BopImages):
            return source
        folder = config.decoded / self.provenance['data_hash'][:16]
        return BopImages(keep_decoded(source.dataset, folder), self.category)

    def run(self) -> None:
        """Train to the last step.

        Raises:
            TrainingError: many losses in a row are not finite; the last checkpoint stays as it was.
        """
        if self.config.resume and self.state_file.exists():
            self.restore()
        LOG.info('%s: %d items to train on, %s, from step %d', self.config.objective.name,
                 len(self.items), self.device, self.step)  # type: ignore[arg-type]  # fmt: skip
        self.network = parallel(self.objective)
        with (
            SummaryWriter(str(self.config.folder), purge_step=self.step + 1) as writer,
            tqdm(
                total=self.config.optimiser.steps, initial=self.step, unit='step', disable=rank() > 0
            ) as bar,
            logging_redirect_tqdm(),
        ):
            for batches in self.steps():
                losses = self.train_step(batches)
                self.step += 1
                bar.update()
                bar.set_postfix(loss=f'{losses["total"]:.3f}', refresh=False)
                if rank() == 0:
                    self.keep_books(writer, losses)
                wait_for_all()
        if rank() == 0:
            self.objective.finish(self.config.folder, self.val_source)

    def steps(self) -> Iterator[list[Batch]]:
        """The batches of each step that is left."""
        settings = self.config.optimiser
        if self.step >= settings.steps:
            return
        batches = endless_batches(
            self.items, settings.batch, self.config.seed, self.step * settings.accumulate, self.config.workers
        )
        for _ in range(self.step, settings.steps):
            yield [next(batches) for _ in range(settings.accumulate)]

    def train_step(self, batches: list[Batch]) -> dict[str, float]:
        """One optimiser step over the mean of some batches' losses; returns the losses."""
        # The losses draw points: a resumed run draws what the uninterrupted one would have drawn.
        torch.manual_seed(self.config.seed + self.step)
        self.objective.train()
        for group in self.optimiser.param_groups:
            group['lr'] = learning_rate(self.step, self.config.optimiser)
        self.optimiser.zero_grad(set_to_none=True)
        values: dict[str, float] = {}
        for number, batch in enumerate(batches):
            last = number == len(batches) - 1
            with nullcontext() if last else self.without_exchange():
                losses = self.losses(batch)
                (losses['total'] / len(batches)).backward()
            for name, value in losses.items():
                values[name] = values.get(name, 0.0) + float(value.detach()) / len(batches)
        norm = float(nn.utils.clip_grad_norm_(self.objective.parameters(), self.config.optimiser.clip_norm))
        finite = math.isfinite(values['total']) and math.isfinite(norm)
        if any_of(not finite, self.device):
            self.skip(values, norm)
        else:
            self.skipped_in_a_row = 0
            self.optimiser.step()
            self.objective.after_step((self.step + 1) / self.config.optimiser.steps)
            self.average.update_parameters(self.objective)
        return values | {'gradient_norm': norm}

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Losses of a batch with the network in half precision where that is faster."""
        batch = {key: value.to(self.device) for key, value in batch.items()}
        with torch.autocast(self.device.type, torch.bfloat16, enabled=has_bfloat16(self.device)):
            return cast(dict[str, torch.Tensor], self.network(batch))

    def without_exchange(self) -> nullcontext[None]:
        """While inside, gradients stay in this process and add up."""
        if isinstance(self.network, DistributedDataParallel):
            return cast(nullcontext[None], self.network.no_sync())
        return nullcontext()

    def skip(self, losses: dict[str, float], norm: float) -> None:
        """Leave the weights as they are for a step whose loss or gradient is not finite, and count it."""
        self.skipped += 1
        self.skipped_in_a_row += 1
        about = f'step {self.step}: losses {losses}, gradient norm {norm}'
        if self.skipped_in_a_row >= MAX_SKIPPED_IN_A_ROW:
            raise TrainingError(
                f'{about}; the {self.skipped_in_a_row} last steps were not finite, and {self.config.folder} '
                'keeps its last good checkpoint. Train again with a lower optimiser.learning_rate under '
                'another name='
            )
        LOG.warning('%s; skipped, %d so far', about, self.skipped)

    def keep_books(self, writer: SummaryWriter, losses: dict[str, float]) -> None:
        """What is due after a step: log, validate, save."""
        every, last = self.config.every, self.step == self.config.optimiser.steps
        if self.step % every.log_steps == 0:
            for name, value in losses.items():
                writer.add_scalar(f'loss/{name}', value, self.step)
            writer.add_scalar('learning_rate', self.optimiser.param_groups[0]['lr'], self.step)
            writer.add_scalar('skipped_steps', self.skipped, self.step)
            self.warn_of_collapse(losses)
        if self.step % every.val_steps == 0 or last:
            self.validate_and_keep(writer)
        if self.step % every.save_steps == 0 or last:
            self.save()

    def warn_of_collapse(self, losses: dict[str, float]) -> None:
        """Tell once when descriptors begin to be the same everywhere."""
        collapsed = losses.get('spread', math.inf) < SPREAD_FLOOR
        if collapsed and not self.warned:
            LOG.warning(
                'step %d: a dimension of the descriptors has a standard deviation of %.4f, expected more '
                'than %g: they collapse to a constant',
                self.step,
                losses['spread'],
                SPREAD_FLOOR,
            )
        self.warned = collapsed

    def validate_and_keep(self, writer: SummaryWriter) -> None:
        """Validate the averaged weights, log, and keep them if they are the best so far."""
        result = self.kept().validation(self.val_source, self.config.val_images)
        for name, value in result.metrics.items():
            writer.add_scalar(f'val/{name}', value, self.step)
        for name, picture in result.pictures.items():
            writer.add_image(f'val/{name}', picture, self.step, dataformats='HWC')
        LOG.info('step %d: %s', self.step, ', '.join(f'{k} {v:.3f}' for k, v in result.metrics.items()))
        if result.score > self.best:
            self.best = result.score
            self.write('best', result.metrics)

    def kept(self) -> Objective:
        """The objective with averaged weights, in evaluation mode: what is validated and saved."""
        return cast(Objective, self.average.module).eval()

    def write(self, name: str, metrics: dict[str, float]) -> None:
        """Write the averaged weights with their provenance."""
        finite = {key: round(value, 4) for key, value in metrics.items() if math.isfinite(value)}
        about = self.provenance | {'step': self.step}
        self.kept().save(self.config.folder / f'{name}.safetensors', about, finite)

    def save(self) -> None:
        """Write the state to resume from, and the averaged weights as `last.safetensors`."""
        save_state(
            self.state_file,
            {
                'step': self.step,
                'best': self.best,
                'skipped': self.skipped,
                'identity': self.identity,
                'model': self.objective.state_dict(),
                'average': self.average.state_dict(),
                'optimiser': self.optimiser.state_dict(),
            },
        )
        self.write('last', {})

    def restore(self) -> None:
        """Take up a stopped run where its last saved state left it."""
        state = load_state(self.state_file, self.identity)
        self.step, self.best, self.skipped = state['step'], state['best'], state['skipped']
        self.objective.load_state_dict(state['model'])
        self.average.load_state_dict(state['average'])
        self.optimiser.load_state_dict(state['optimiser'])


def parallel(objective: Objective) -> nn.Module:
    """The objective in exchange with the other processes of the group, if there is one."""
    if not torch.distributed.is_initialized():
        return objective
    if next(objective.parameters()).is_cuda:
        objective = cast(Objective, nn.SyncBatchNorm.convert_sync_batchnorm(objective))
    return DistributedDataParallel(objective, find_unused_parameters=True)
