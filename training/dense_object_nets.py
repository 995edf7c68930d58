"""Dense Object Nets as released, trained on our data: the baseline that the descriptors have to beat.

python training/dense_object_nets.py data=data/mugs out=runs/dense_object_nets.safetensors minutes=40

Network, sampling, loss and schedule as in Florence et al. 2018 (https://arxiv.org/abs/1806.08756) and
https://github.com/RobotLocomotion/pytorch-dense-correspondence, but without ImageNet weights, which the other
networks here do without too. All mugs of a pair of views are matched, each with itself only.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import hydra
import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from omegaconf import DictConfig
from safetensors.torch import load_file, save_file
from torch import nn
from tqdm import tqdm

from dense_descriptor_ros.bop import View, open_bop
from dense_descriptor_ros.category import load_category
from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.files import write_atomically
from dense_descriptor_ros.model import SIZE_MULTIPLE
from dense_descriptor_ros.preprocess import RGB_MEAN, RGB_STD
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.training.augmentation.appearance import AugmentationConfig
from dense_descriptor_ros.training.augmentation.virtual_camera import VirtualCamera, virtual_camera
from dense_descriptor_ros.training.items.view_pairs import PairConfig, Sample, ViewPairs
from dense_descriptor_ros.training.metrics.descriptor_metrics import DescriptorSource
from dense_descriptor_ros.training.sampling import endless_batches

DESCRIPTOR_DIM = 3
MARGIN = 0.5
MATCH_ATTEMPTS = 10_000
NON_MATCHES = 150
"""For each match, half of them on the same object and half on the background."""
USED_MATCHES = 500
"""Of a pair; the rest adds time and little else."""
LEARNING_RATE, DECAY, DECAY_STEPS, STEPS, WEIGHT_DECAY = 1e-4, 0.9, 250, 3500, 1e-4
AS_THEY_ARE = AugmentationConfig(
    anywhere=0, mirror=0, recolour=0, jitter=0, grey=0, blur=0, noise=0, depth_noisy=0, depth_holes=0,
    depth_missing=0,
)  # fmt: skip


@dataclass(frozen=True)
class DenseObjectNetsConfig:
    """What is trained on what, and for how long."""

    data: Path
    out: Path
    split: str = 'train'
    minutes: float = 40.0
    seed: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        if self.minutes <= 0:
            raise ConfigError(f'minutes is {self.minutes}: expected more than 0')


class DenseObjectNet(nn.Module):
    """ResNet34-8s: the last two stages keep stride 8 and dilate instead; one linear read-out."""

    def __init__(self) -> None:
        super().__init__()
        resnet = torchvision.models.resnet34(weights=None)
        for stage, dilation in ((resnet.layer3, 2), (resnet.layer4, 4)):
            for module in stage.modules():
                if isinstance(module, nn.Conv2d):
                    module.stride = (1, 1)
                    if module.kernel_size == (3, 3):
                        module.dilation = module.padding = (dilation, dilation)
        self.body = nn.Sequential(*list(resnet.children())[:-2])
        self.read_out = nn.Conv2d(512, DESCRIPTOR_DIM, 1)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        """Descriptors (B, 3, h, w) at stride 8, of any length, of images (B, 3, H, W), 0 to 1."""
        mean, std = (rgb.new_tensor(values)[:, None, None] for values in (RGB_MEAN, RGB_STD))
        return self.read_out(self.body((rgb - mean) / std))


class WholeViews(ViewPairs):
    """Pairs of views as they are from their upper left corner on, neither zoomed nor turned."""

    def draw_camera(
        self, view: View, target: int | None, mirrored: bool, rng: np.random.Generator
    ) -> VirtualCamera:
        """The view's own camera."""
        width, height = self.config.width, self.config.height
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        return virtual_camera(view.K, centre, width, height, 1.0, 0.0, False)


def at_pixels(descriptors: torch.Tensor, uv: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Descriptors (N, 3) of a map (3, h, w) at pixels (N, 2) of an image of this size (H, W), bilinear."""
    grid = (2 * (uv + 0.5) / uv.new_tensor([size[1], size[0]]) - 1)[None, None]
    sampled = F.grid_sample(descriptors[None], grid, padding_mode='border', align_corners=False)
    return sampled[0, :, 0].T


def pair_loss(descriptors: torch.Tensor, sample: Sample, generator: torch.Generator) -> torch.Tensor:
    """Contrastive loss of one pair with hard negative scaling, apart for the object and the background."""
    height, width = sample['rgb'].shape[-2:]
    matched = torch.nonzero(sample['matched'])[:, 0]
    matched = matched[torch.randperm(len(matched), generator=generator)[:USED_MATCHES]]
    if not len(matched):
        return descriptors.sum() * 0
    query = at_pixels(descriptors[0], sample['uv'][0, matched], (height, width))
    match = at_pixels(descriptors[1], sample['match_uv'][matched], (height, width))
    loss = (query - match).square().sum(1).mean()
    cells = sample['instance_map'][1] > 0
    for chosen in (cells, ~cells):
        rows, columns = torch.nonzero(chosen, as_tuple=True)
        if not len(rows):
            continue
        pick = torch.randint(len(rows), (len(matched), NON_MATCHES // 2), generator=generator)
        stride = width / cells.shape[1]
        uv = torch.stack([columns[pick], rows[pick]], -1) * stride + stride / 2
        far = (uv - sample['match_uv'][matched][:, None]).norm(dim=-1) > 2 * stride
        other = at_pixels(descriptors[1], uv.flatten(0, 1), (height, width)).unflatten(0, pick.shape)
        distance = (query[:, None] - other).square().sum(-1).add(1e-12).sqrt()
        short = (MARGIN - distance).clamp(min=0) * far
        loss = loss + short.square().sum() / (short > 0).sum().clamp(min=1)
    return loss


def train(config: DenseObjectNetsConfig) -> None:
    """Train until the time or the schedule is over, and write the weights."""
    torch.manual_seed(config.seed)
    dataset = open_bop(config.data, config.split)
    height, width = (side - side % SIZE_MULTIPLE for side in dataset.views[0].rgb().shape[:2])
    size = PairConfig(width=width, height=height, points=MATCH_ATTEMPTS)
    pairs = WholeViews(dataset, load_category('mug'), size, AS_THEY_ARE, config.seed)
    net = DenseObjectNet().to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, DECAY_STEPS, DECAY)
    generator = torch.Generator().manual_seed(config.seed)
    end, step = time.monotonic() + 60 * config.minutes, 0
    bar = tqdm(endless_batches(pairs, 1, config.seed, 0, config.workers), total=STEPS, unit='step')
    for step, batch in enumerate(bar, start=1):
        sample = {key: value[0] for key, value in batch.items()}
        with torch.autocast('cpu', torch.bfloat16):
            descriptors = net(sample['rgb'].float() / 255)
        loss = pair_loss(descriptors.float(), sample, generator)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        bar.set_postfix(loss=f'{float(loss.detach()):.3f}', refresh=False)
        if step == STEPS or time.monotonic() > end:
            break
    about = {'about': json.dumps({'steps': step, 'minutes': config.minutes, 'data': config.data.name})}
    weights = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    write_atomically(config.out, lambda temporary: save_file(weights, temporary, metadata=about))
    print(f'{step} of {STEPS} steps; {config.out}')


def dense_object_nets(path: Path) -> DescriptorSource:
    """Descriptors of trained weights as unit vectors among which the nearest are the nearest of before.

    Lifting points of the plane or space onto a far larger sphere keeps the order of their distances.

    Raises:
        ConfigError: the file is missing or holds something else.
    """
    net = DenseObjectNet().eval()
    try:
        net.load_state_dict(load_file(path))
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f'dense_object_nets={path}: {error}; make it with training/dense_object_nets.py'
        ) from error

    @torch.inference_mode()
    def source(view: View) -> np.ndarray:
        rgb = torch.from_numpy(view.rgb()).permute(2, 0, 1)[None].float() / 255
        return lifted(net(rgb)[0].numpy())

    return source


def lifted(descriptors: np.ndarray) -> np.ndarray:
    """Unit vectors (D + 1, h, w) in the order of the Euclidean distances of (D, h, w)."""
    radius = 30 * max(float(np.abs(descriptors).max()), 1e-6)
    scaled = descriptors.astype(np.float64) / radius
    return np.concatenate([scaled, np.sqrt(1 - (scaled**2).sum(0, keepdims=True))])


@hydra.main(version_base=None, config_path='config', config_name='dense_object_nets')
def main(config: DictConfig) -> None:
    """Command line."""
    with errors_in_one_line():
        values = {str(key): value for key, value in config.items()}
        train(DenseObjectNetsConfig(**{**values, 'data': Path(config.data), 'out': Path(config.out)}))


if __name__ == '__main__':
    main()
