"""Several processes that train one network: started by torchrun, on one machine or many.

torchrun --nproc_per_node=2 training/train.py data=data/mugs optimiser.batch=3
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.distributed as dist


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the other processes while inside, if torchrun started this one; alone otherwise."""
    if 'WORLD_SIZE' not in os.environ:
        yield
        return
    dist.init_process_group('nccl' if device.type == 'cuda' else 'gloo')
    try:
        yield
    finally:
        dist.destroy_process_group()


def own_device(name: str) -> str:
    """`auto` as the GPU of this process where torchrun gave it one, else the name."""
    if name == 'auto' and 'LOCAL_RANK' in os.environ and torch.cuda.is_available():
        return f'cuda:{os.environ["LOCAL_RANK"]}'
    return name


def rank() -> int:
    """Number of this process, 0 for the one that writes."""
    return dist.get_rank() if dist.is_initialized() else int(os.environ.get('RANK', 0))


def world_size() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else int(os.environ.get('WORLD_SIZE', 1))


def wait_for_all() -> None:
    """Return when every process is here."""
    if dist.is_initialized():
        dist.barrier()


def any_of(flag: bool, device: torch.device) -> bool:
    """Whether the flag is set in any process, so that all decide alike."""
    if not dist.is_initialized():
        return flag
    count = torch.tensor(float(flag), device=device)
    dist.all_reduce(count)
    return bool(count > 0)


def gathered(values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors (B, ...) of all processes as (world * B, ...), in the order of their ranks; with gradients.

    A loss that contrasts within the batch takes what this returns; each process then computes the loss of the
    whole batch. The gradient of a gathered tensor is summed over the processes, and DDP takes the mean of the
    parameters' gradients: they come out as those of one process with the whole batch.
    """
    if not dist.is_initialized():
        return dict(values)
    from lightly.utils.dist import gather  # here, as it takes seconds to import

    return {name: torch.cat(gather(value.contiguous())) for name, value in values.items()}
