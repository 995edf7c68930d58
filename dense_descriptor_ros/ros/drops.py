"""Why a frame gave no result. Every drop is counted under one of these reasons."""

from collections.abc import Callable
from enum import Enum

from dense_descriptor_ros.errors import InputError


class Drop(Enum):
    """Reason of a drop; the value is its key in /diagnostics."""

    SUPERSEDED = 'superseded'
    """A newer frame arrived before this one was processed."""
    IMAGE_UNPAIRED = 'image_unpaired'
    """No depth within the slop."""
    DEPTH_UNPAIRED = 'depth_unpaired'
    """No image within the slop."""
    STOPPED = 'stopped'
    """The node was deactivated first."""
    NO_LISTENER = 'no_listener'
    """Nobody subscribes to any output."""
    DISABLED = 'disabled'
    """Switched off by ~/enable."""
    RATE_LIMIT = 'rate_limit'
    """Sooner after the last frame than max_rate allows."""
    TOO_OLD = 'too_old'
    """Older than max_frame_age when its turn came."""
    STAMP_BACKWARDS = 'stamp_backwards'
    """A stream jumped back in time; frames that waited for their partner are given up."""
    IMAGE_ENCODING = 'image_encoding'
    IMAGE_SIZE = 'image_size'
    IMAGE_STEP = 'image_step'
    IMAGE_COMPRESSED = 'image_compressed'
    """A compressed image that cannot be decoded, or is too large to be."""
    DEPTH_ENCODING = 'depth_encoding'
    DEPTH_SIZE = 'depth_size'
    DEPTH_STEP = 'depth_step'
    DEPTH_COMPRESSED = 'depth_compressed'
    """Likewise."""
    DEPTH_EMPTY = 'depth_empty'
    """Not one pixel has a depth."""
    CAMERA_INFO_MISSING = 'camera_info_missing'
    CAMERA_INFO_SIZE = 'camera_info_size'
    CAMERA_INFO_K = 'camera_info_k'
    """Focal lengths that are zero, negative or not finite."""
    REJECTED = 'rejected'
    """The inference cannot take the frame, for example because it is too small."""
    TRANSFORM = 'transform'
    """tf does not know where the camera was at the stamp."""
    OUT_OF_MEMORY = 'out_of_memory'
    """The inference needs more memory than there is."""
    FAILURE = 'failure'
    """The inference or the publishing raised an exception."""

    @property
    def is_fault(self) -> bool:
        """Whether somebody has to act: the rest is what a node slower than its camera does all day."""
        return self not in _ORDINARY

    @property
    def loses_image(self) -> bool:
        """Whether each count is an image that came in: all but what happens to depth or to a whole stream."""
        return self not in {Drop.DEPTH_UNPAIRED, Drop.STAMP_BACKWARDS}

    @property
    def is_error(self) -> bool:
        """Whether the node cannot do its work, whatever the camera sends."""
        return self in _ERRORS


_ORDINARY = {
    Drop.SUPERSEDED,
    Drop.STOPPED,
    Drop.IMAGE_UNPAIRED,
    Drop.DEPTH_UNPAIRED,
    Drop.NO_LISTENER,
    Drop.DISABLED,
    Drop.RATE_LIMIT,
}
_ERRORS = {Drop.TRANSFORM, Drop.OUT_OF_MEMORY, Drop.FAILURE}

ReportDrop = Callable[[Drop, str], None]
"""Takes the reason and a sentence for the person who has to act."""


class BadFrameError(InputError):
    """A message that cannot be used; whoever works on frames skips it and goes on."""

    def __init__(self, reason: Drop, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def reason_of(error: Exception) -> Drop:
    """Why a frame gave no result when working on it raised this."""
    if isinstance(error, BadFrameError):
        return error.reason
    if isinstance(error, InputError):
        return Drop.REJECTED
    return Drop.OUT_OF_MEMORY if isinstance(error, MemoryError) else Drop.FAILURE
