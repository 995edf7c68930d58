"""Descriptor probe: matches between two views of one mug, and between two mugs, nothing trained.

The questions and figures are those of descriptor_metrics.py; this lets any frozen representation answer.
"""

import numpy as np

from dense_descriptor_ros.bop import View
from dense_descriptor_ros.training.metrics.descriptor_metrics import (
    DescriptorSource,
    across_instances_metrics,
    answer,
    dimension_spread,
    same_instance_metrics,
)
from dense_descriptor_ros.training.metrics.descriptor_pairs import (
    draw_across_instances,
    draw_same_instance,
    mug_views,
)
from dense_descriptor_ros.training.probes.frozen import FrozenFeatures


def probe(test: FrozenFeatures, pairs: int = 100, seed: int = 0) -> dict[str, float]:
    """Figures such as `same_instance/mask/below_0.02`, each over at most `pairs` pairs of the test views.

    Every representation of the same views answers the same questions; only those of one `max_side_px` should
    be compared.
    """
    views = [view for view in mug_views(test.images.dataset, test.images.category.name) if view.view in test]
    source = descriptor_source(test)
    same = draw_same_instance(views, np.random.default_rng(seed), pairs)
    across = draw_across_instances(views, np.random.default_rng(seed), pairs)
    found = {
        'same_instance': same_instance_metrics(answer(same, source, 'same mug')),
        'across_instances': across_instances_metrics(answer(across, source, 'other mug')),
    }
    dimensions, spread = dimension_spread(views, source)
    figures = {'dimensions': float(dimensions), 'min_dimension_std': spread}
    for question, result in found.items():
        figures[f'{question}/pairs'] = float(result['pairs'])
        for where in ('full', 'mask'):
            for name, value in result.get(where, {}).items():
                figures[f'{question}/{where}/{name}'] = value
    return figures


def descriptor_source(features: FrozenFeatures) -> DescriptorSource:
    """Descriptor image (D, h, w) float32 of a view of the split."""

    def source(view: View) -> np.ndarray:
        return features.of(view).descriptors.float().numpy()

    return source
