"""Where points of an image are drawn: on its objects, on clusters of its depth, or all over it."""

import numpy as np
from sklearn.cluster import KMeans

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.geometry import back_project
from dense_descriptor_ros.training.sources.image import LabelledImage

SAMPLINGS = ('mask', 'clusters', 'image')
CLUSTERS = 8
FITTED_POINTS = 2000
"""Surface points, spread over the image, that the clusters are found from."""


def point_regions(image: LabelledImage, sampling: str) -> np.ndarray:
    """(H, W) int32: the region that each pixel belongs to, 0 where no point is drawn.

    Args:
        image: with the masks or the depth that the sampling needs.
        sampling: mask, for its objects; clusters, for clusters of its depth; image, for one region of all.

    Raises:
        ConfigError: the image has no masks to sample by.
    """
    if sampling == 'image':
        return np.ones(image.depth_m.shape, np.int32)
    if sampling == 'clusters':
        return depth_clusters(image.depth_m, image.K)
    if image.instances is None:
        raise ConfigError(
            'objective.sampling is mask, but the images have no masks of objects: give '
            'objective.sampling=clusters where they have depth, or image'
        )
    return image.instances


def depth_clusters(depth_m: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(H, W) int32: 1 + the cluster of each pixel's surface point, 0 where depth is unknown.

    Clusters are compact in space (k-means), so a near thing and what lies far behind it, side by side in the
    image, do not share one.
    """
    v, u = np.nonzero(depth_m > 0)
    clusters = np.zeros(depth_m.shape, np.int32)
    if len(u) == 0:
        return clusters
    p_camera = back_project(K, np.stack([u, v], 1), depth_m[v, u])
    some = p_camera[np.linspace(0, len(u) - 1, min(len(u), FITTED_POINTS)).astype(int)]
    kmeans = KMeans(min(CLUSTERS, len(some)), n_init=1, random_state=0).fit(some)
    clusters[v, u] = 1 + kmeans.predict(p_camera)
    return clusters


def draw_pixels(regions: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Pixels (N, 2) of the regions (H, W), column and row, N at most `count`, none twice, in random order.

    Every region gives as many as every other, or all it has: a cup is not drowned by the wall behind it.
    """
    v, u = np.nonzero(regions > 0)
    order = rng.permutation(len(u))
    u, v = u[order], v[order]
    numbers = regions[v, u]
    by_region = np.argsort(numbers, kind='stable')
    in_order = numbers[by_region]
    place = np.empty(len(u), int)  # of each pixel among those of its region
    place[by_region] = np.arange(len(u)) - np.searchsorted(in_order, in_order)
    # Ties, the regions' last pixels when count runs out, are broken by the random order.
    chosen = rng.permutation(np.argsort(place, kind='stable')[:count])
    return np.stack([u[chosen], v[chosen]], 1)
