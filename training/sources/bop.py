"""Our own data sets, and any other in BOP format, as images with objects and parts."""

import numpy as np

from dense_descriptor_ros.bop import BopDataset, Instance, View
from dense_descriptor_ros.category import Category
from dense_descriptor_ros.geometry import apply, back_project, inverse, pixel_grid
from dense_descriptor_ros.training.items.labels import HANDLE, instances_of
from dense_descriptor_ros.training.sources.image import IGNORE, ImageSource, LabelledImage

CLASS_NAMES = ('background', 'other object', 'body', 'handle')


class BopImages(ImageSource):
    """Views of a BOP split; the classes tell the parts of the category from other objects.

    An object's number in an image is 1 + its position in `scene_gt.json`.
    """

    class_names = CLASS_NAMES

    def __init__(self, dataset: BopDataset, category: Category) -> None:
        self.dataset, self.category = dataset, category
        self.views = dataset.views

    def __len__(self) -> int:
        return len(self.views)

    def __getitem__(self, index: int) -> LabelledImage:
        view = self.views[index]
        rgb, depth_m = view.rgb(), view.depth_m()
        instances = np.zeros(depth_m.shape, np.int32)
        classes = np.zeros(depth_m.shape, np.uint8)
        own = {instance.index for instance in instances_of(view, self.dataset, self.category)}
        for instance in view.instances:
            mask = np.asarray(view.visible_mask(instance))
            instances[mask] = instance.index + 1
            classes[mask] = CLASS_NAMES.index('other object')
            if instance.index in own:
                classes[mask] = self.parts(view, instance, depth_m, mask)
        return LabelledImage(np.asarray(rgb), depth_m, view.K, instances, classes)

    @property
    def sequences(self) -> list[list[int]]:
        """The views of each scene."""
        found: dict[int, list[int]] = {}
        for index, view in enumerate(self.views):
            found.setdefault(view.scene_id, []).append(index)
        return list(found.values())

    def parts(self, view: View, instance: Instance, depth_m: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(N,) classes of an instance's pixels: body, handle, or IGNORE without depth."""
        uv = pixel_grid(*depth_m.shape)[mask]
        p_object = apply(inverse(instance.T_camera_object), back_project(view.K, uv, depth_m[mask]))
        on_handle = p_object[:, 0] > self.dataset.models[instance.obj_id].handle_x_min_m
        part = np.where(on_handle, CLASS_NAMES.index(HANDLE), CLASS_NAMES.index('body'))
        return np.where(depth_m[mask] > 0, part, IGNORE).astype(np.uint8)
