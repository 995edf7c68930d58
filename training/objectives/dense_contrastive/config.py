"""Settings of the objective `dense_contrastive`."""

from dataclasses import dataclass

from dense_descriptor_ros.errors import ConfigError
from dense_descriptor_ros.training.items.point_sampling import SAMPLINGS
from dense_descriptor_ros.training.objectives.objective import ObjectiveConfig

CHOICES = {
    'contrast': ('nce', 'margin', 'distributional'),
    'pairs_from': ('views', 'augmentations'),
    'sampling': SAMPLINGS,
    'levels': ('finest', 'all'),
    'head': ('contrast', 'predictor', 'box_predictor'),
}
POSITIVE = ('margin', 'spread_cells', 'temperature', 'surface_bandwidth', 'non_match_m', 'non_match_px')
OF_FRAMES = ('object', 'part', 'keypoint', 'axis')


@dataclass(frozen=True)
class DenseContrastiveConfig(ObjectiveConfig):
    """Weights and constants of the losses."""

    name: str = 'dense_contrastive'
    pairs_from: str = 'views'
    """views: two views of a scene, matched by poses and depth; augmentations: two of one image, matched by
    the geometry of the augmentations. Images without poses, masks or depth do for the latter; frames and
    instances are learned from it only if the images are of a BOP data set."""
    sampling: str = 'mask'
    """Where points are drawn: on the objects (mask), on clusters of the depth image, or all over the image.
    Without masks views are matched through the cameras' poses, else through those of their objects."""
    levels: str = 'finest'
    """Levels of the feature pyramid with a contrast between views: finest or all."""
    head: str = 'contrast'
    """How the descriptors of a match are compared: contrast, in the form of `contrast`; predictor, without
    non-matches (SimSiam); box_predictor, the same for the mean descriptors of whole objects."""
    multi_view: float = 1.0
    """Weight of the contrast between two views of one object."""
    across_instances: float = 0.5
    """Weight of the contrast between objects of the category."""
    object: float = 8.0
    part: float = 1.0
    keypoint: float = 0.5
    axis: float = 3.0
    contrast: str = 'nce'
    """Form of the contrast between views: nce, margin or distributional."""
    margin: float = 0.5
    """Of the margin form, between unit descriptors."""
    spread_cells: float = 1.5
    """Of the distributional form's target."""
    temperature: float = 0.1
    surface_bandwidth: float = 0.12
    non_match_m: float = 0.01
    """Points of one object, or region, farther apart than this are non-matches."""
    non_match_px: float = 8.0
    """The same for the two augmentations of one image, in pixels of the first."""
    between_objects: bool = False
    """Whether points of other objects, or clusters, are non-matches. Without, they are neither: with
    `across_instances` they are to agree where they correspond."""
    background: int = 256
    """Cells off the category that serve as non-matches, an image pair."""
    surface_points: int = 768
    """Points a batch that are contrasted across instances."""
    calibration_images: int = 200
    """Held-out images that the confidence is fitted to at the end."""

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(
                    f'objective.{name} is {getattr(self, name)!r}: expected one of {", ".join(choices)}'
                )
        for name in POSITIVE:
            if getattr(self, name) <= 0:
                raise ConfigError(f'objective.{name} is {getattr(self, name)}: expected more than 0')
        for name in (*OF_FRAMES, 'multi_view', 'across_instances'):
            if getattr(self, name) < 0:
                raise ConfigError(f'objective.{name} is {getattr(self, name)}: expected a weight, 0 or more')
        if self.between_objects and self.across_instances:
            raise ConfigError(
                'objective.between_objects parts objects that objective.across_instances draws together: '
                'give objective.across_instances=0'
            )
        if self.sampling != 'mask' and self.needs_labels:
            raise ConfigError(
                f'objective.sampling is {self.sampling!r}: frames and instances are learned on masks; '
                f'{WITHOUT_LABELS}'
            )
        if self.sampling != 'mask' and self.pairs_from == 'views' and self.head == 'box_predictor':
            raise ConfigError(
                f'objective.head is box_predictor with sampling {self.sampling!r}: two views have no regions '
                'in common but their objects; give objective.sampling=mask'
            )

    @property
    def learns_frames(self) -> bool:
        """Whether the votes for frames have a weight."""
        return any(getattr(self, name) for name in OF_FRAMES)

    @property
    def needs_labels(self) -> bool:
        """Whether something is learned that only a BOP data set tells."""
        return self.learns_frames or self.across_instances > 0


WITHOUT_LABELS = 'give ' + ' '.join(f'objective.{name}=0' for name in (*OF_FRAMES, 'across_instances'))
