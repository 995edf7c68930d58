"""From the messages of one frame to what is in it: the same for the node and for recordings. Needs no ROS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dense_descriptor_ros.frames import Infers, Prediction
from dense_descriptor_ros.ros.bridge import CvBridge, read_by_cv_bridge
from dense_descriptor_ros.ros.compressed import decompress_depth, decompress_image
from dense_descriptor_ros.ros.conversions import RgbdFrame, rgbd_frame
from dense_descriptor_ros.ros.settings import PerceptionSettings
from dense_descriptor_ros.ros.sync import NS, stamp_ns
from dense_descriptor_ros.selection import select
from dense_descriptor_ros.tracking import Tracker

if TYPE_CHECKING:
    from sensor_msgs.msg import CameraInfo, CompressedImage, Image
    from std_msgs.msg import Header


class Perceiver:
    """Converts, infers, follows and chooses; remembers the objects of the frames before."""

    def __init__(self) -> None:
        self.bridge: CvBridge | None = None
        """Reads raw images where it is set; the result is the same."""
        self._tracker = Tracker()
        self._fixed_frame = ''

    def reset(self) -> None:
        """Forget the objects; their identities are not given again."""
        self._tracker.reset()

    def read(
        self,
        image: Image | CompressedImage,
        depth: Image | CompressedImage,
        camera_info: CameraInfo,
        settings: PerceptionSettings,
    ) -> RgbdFrame:
        """Images, raw or compressed, with their intrinsics.

        Raises:
            BadFrameError: one of the messages cannot be used, or they do not fit each other.
        """
        return rgbd_frame(
            self._raw(image, decompress_image),
            self._raw(depth, decompress_depth),
            camera_info,
            settings.depth_range,
        )

    def perceive(
        self,
        frame: RgbdFrame,
        engine: Infers,
        settings: PerceptionSettings,
        T_fixed_camera: Callable[[Header], np.ndarray],
    ) -> Prediction:
        """What is in a frame, in the camera's frame of reference.

        Objects are followed before those that score too low are left out: one whose score is near the
        threshold keeps its identity.

        Args:
            frame: the images.
            engine: finds objects in them.
            settings: of the node.
            T_fixed_camera: pose (4, 4) of the camera in the fixed frame, for the header of the image.

        Raises:
            InputError: the images cannot be used.
            BadFrameError: the pose of the camera is not known.
        """
        found = engine.infer(frame.rgb, frame.depth_m, frame.K)
        frames = found.frames
        if settings.tracking:
            if settings.fixed_frame != self._fixed_frame:
                self._tracker.reset()
                self._fixed_frame = settings.fixed_frame
            T = T_fixed_camera(frame.header) if settings.fixed_frame else np.eye(4)
            self._tracker.config = settings.tracking_config
            frames = self._tracker.update(frames, stamp_ns(frame.header) * NS, T)
        return replace(found, frames=select(frames, settings.score_threshold, settings.max_instances))

    def _raw(self, message: Any, decompress: Callable[[Any], Any]) -> Any:
        if hasattr(message, 'format'):  # of CompressedImage
            return decompress(message)
        return read_by_cv_bridge(self.bridge, message) if self.bridge else message
