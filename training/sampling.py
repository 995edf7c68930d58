"""An endless, shuffled, resumable stream of batches, split over the processes that train together."""

from collections.abc import Iterator, Sized

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.processes import end_with_parent
from dense_descriptor_ros.training.distributed import rank, world_size
from dense_descriptor_ros.training.objectives.objective import Sample


class EndlessSampler(Sampler[int]):
    """Positions epoch * size + item, each epoch in another order, from any position on.

    The position, not only the item, goes to the data set: it seeds the augmentation, so that a resumed run
    sees what the uninterrupted one would have seen, whatever the number of workers. Of several processes each
    takes every `processes`-th run of `batch` positions.
    """

    def __init__(
        self, size: int, seed: int, start: int, batch: int = 1, process: int = 0, processes: int = 1
    ) -> None:
        self.size, self.seed, self.start = size, seed, start
        self.batch, self.process, self.processes = batch, process, processes

    def __iter__(self) -> Iterator[int]:
        for count, position in enumerate(self.positions()):
            if count // self.batch % self.processes == self.process:
                yield position

    def positions(self) -> Iterator[int]:
        """Those of all processes."""
        epoch, offset = divmod(self.start, self.size)
        while True:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.size)
            for item in order[offset:]:
                yield epoch * self.size + int(item)
            epoch, offset = epoch + 1, 0


def endless_batches(
    items: Dataset[Sample], batch: int, seed: int, first: int, workers: int
) -> Iterator[Sample]:
    """Batches of `batch` items for this process, beginning with its batch number `first`.

    Raises:
        DatasetError: an image cannot be read, or there are no items.
    """
    if not isinstance(items, Sized) or len(items) == 0:
        raise DatasetError('the data set has no items to train with')
    start = first * batch * world_size()
    loader = DataLoader(
        items,
        batch_size=batch,
        sampler=EndlessSampler(len(items), seed, start, batch, rank(), world_size()),
        num_workers=workers,
        worker_init_fn=prepare_worker,
        # A forked child can wait for ever on a lock that a thread of OpenCV or torch held.
        multiprocessing_context='forkserver' if workers else None,
        prefetch_factor=4 if workers else None,
    )
    try:
        yield from loader
    except DatasetError as error:
        raise DatasetError(own_message(error)) from error


def own_message(error: DatasetError) -> str:
    """The message of an error without the trace that a worker process wraps it in."""
    return str(error).strip().rpartition(f'{DatasetError.__name__}: ')[2]


def prepare_worker(worker: int) -> None:
    """Leave the cores to the network, and leave with the training."""
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    end_with_parent()
