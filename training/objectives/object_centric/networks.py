"""The parts of the network, as the settings choose them."""

from torch import nn

from dense_descriptor_ros.training.networks.co_attention import CoAttention
from dense_descriptor_ros.training.networks.cross_attention import CrossAttention
from dense_descriptor_ros.training.networks.object_queries import (
    KMeansQueries,
    LearnedQueries,
    SampledQueries,
)
from dense_descriptor_ros.training.networks.slot_attention import SlotAttention
from dense_descriptor_ros.training.networks.vit import TokenTransformer
from dense_descriptor_ros.training.objectives.object_centric.config import ObjectCentricConfig

OBJECT_FUNCTIONS = {
    'slot_attention': SlotAttention,
    'cross_attention': CrossAttention,
    'co_attention': CoAttention,
}


def build_queries(config: ObjectCentricConfig) -> nn.Module:
    """From tokens (B, N, C) to initial slots (B, S, D)."""
    if config.queries == 'kmeans':
        return KMeansQueries(config.slots, config.slot_width, config.token_width)
    kind = {'learned': LearnedQueries, 'sample': SampledQueries}[config.queries]
    return kind(config.slots, config.slot_width)


def build_object_function(config: ObjectCentricConfig) -> nn.Module:
    """From tokens (B, N, C) and initial slots (B, S, D) to slots and attention (B, S, N)."""
    kind = OBJECT_FUNCTIONS[config.object_function]
    return kind(config.token_width, config.slot_width, config.iterations)


def build_transformer(config: ObjectCentricConfig) -> TokenTransformer:
    """The backbone `vit`."""
    return TokenTransformer(
        width=config.token_width,
        depth=config.vit_depth,
        patch_px=config.vit_patch_px,
        channels=config.vit_channels,
        image_px=config.large_px,
    )


def projector(width_in: int, width_out: int) -> nn.Sequential:
    """From a vector to what the losses compare."""
    return nn.Sequential(
        nn.LayerNorm(width_in),
        nn.Linear(width_in, 2 * width_in),
        nn.GELU(),
        nn.Linear(2 * width_in, width_out, bias=False),
    )
