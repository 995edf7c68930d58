"""An endless, shuffled, resumable stream of batches."""

from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler

from dense_descriptor_ros.errors import DatasetError
from dense_descriptor_ros.processes import end_with_parent
from dense_descriptor_ros.training.pairs import Sample, ViewPairs


class EndlessSampler(Sampler[int]):
    """Positions epoch * size + item, each epoch in another order, from any position on.

    The position, not only the item, goes to the data set: it seeds the augmentation, so that a resumed run
    sees what the uninterrupted one would have seen, whatever the number of workers.
    """

    def __init__(self, size: int, seed: int, start: int) -> None:
        self.size, self.seed, self.start = size, seed, start

    def __iter__(self) -> Iterator[int]:
        epoch, offset = divmod(self.start, self.size)
        while True:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.size)
            for item in order[offset:]:
                yield epoch * self.size + int(item)
            epoch, offset = epoch + 1, 0


def endless_batches(
    pairs: ViewPairs, batch: int, seed: int, first_step: int, workers: int
) -> Iterator[Sample]:
    """Batches of `batch` pairs, beginning with the one of step `first_step`.

    Raises:
        DatasetError: an image cannot be read.
    """
    loader = DataLoader(
        pairs,
        batch_size=batch,
        sampler=EndlessSampler(len(pairs), seed, first_step * batch),
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
