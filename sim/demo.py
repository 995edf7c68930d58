"""The whole path on real ROS 2: a simulated camera, the perception node and this subscriber, three processes.

    python -m dense_descriptor_ros.sim.demo

Prints what was found beside the truth, writes pictures and a page, and fails if no mug was found.
"""

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import Image

from dense_descriptor_ros.errors import DenseDescriptorError
from dense_descriptor_ros.files import write_image
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.msg import AffordanceFrame as AffordanceFrameMessage
from dense_descriptor_ros.msg import AffordanceFrameArray
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.ros.conversions import image_to_rgb
from dense_descriptor_ros.sim.demo_match import compare, mug_found, summarise
from dense_descriptor_ros.sim.demo_page import Shown, image_table, picture, summary_table, write_page
from dense_descriptor_ros.sim.node_processes import RELIABLE, check_alive, child, use_private_domain

VIEWS_PER_SCENE = 8
ORBIT_VIEWS = 2 * VIEWS_PER_SCENE  # half a turn about each scene: a handle that hides comes into sight
FRAMES = AffordanceFrameArray
TOPICS = {
    'found': ('perception/acf_poses', FRAMES),
    'overlay': ('perception/overlay', Image),
    'descriptors': ('perception/descriptors_rgb', Image),
    'true': ('camera/true_frames', FRAMES),
}


class Listener(Node):
    """Collects what belongs to one image, by its stamp, and shows it once it is complete."""

    def __init__(self, folder: Path) -> None:
        super().__init__('demo')
        self.images: list[Shown] = []
        self._folder = folder
        self._parts: dict[int, dict[str, Any]] = {}
        self._arrived: dict[int, Time] = {}
        for name, (topic, kind) in TOPICS.items():
            self.create_subscription(kind, topic, lambda message, name=name: self._collect(name, message), 10)

    def _collect(self, name: str, message: Any) -> None:
        stamp = Time.from_msg(message.header.stamp)
        parts = self._parts.setdefault(stamp.nanoseconds, {})
        parts[name] = message
        if name == 'found':
            self._arrived[stamp.nanoseconds] = self.get_clock().now()
        if len(parts) == len(TOPICS):
            self._show(parts, (self._arrived[stamp.nanoseconds] - stamp).nanoseconds * 1e-6)
            self._parts = {key: value for key, value in self._parts.items() if key > stamp.nanoseconds}

    def _show(self, parts: dict[str, Any], age_ms: float) -> None:
        true, found = ([frame_of(frame) for frame in parts[name].frames] for name in ('true', 'found'))
        shown = Shown(len(self.images), age_ms, compare(true, found))
        self.images.append(shown)
        overlay = image_to_rgb(parts['overlay'])
        size = overlay.shape[1], overlay.shape[0]
        descriptors = cv2.resize(image_to_rgb(parts['descriptors']), size, interpolation=cv2.INTER_NEAREST)
        write_image(self._folder / picture('overlay', shown.number), overlay)
        write_image(self._folder / picture('descriptors', shown.number), descriptors)
        print(image_table(shown), flush=True)


def frame_of(message: AffordanceFrameMessage) -> AffordanceFrame:
    """The core's frame of a message; the comparison needs no second axis."""
    position, axis = message.pose.position, message.axis
    return AffordanceFrame(
        message.category,
        message.part,
        message.instance_id,
        message.score,
        np.array([position.x, position.y, position.z]),
        np.array([axis.x, axis.y, axis.z]),
    )


def demonstrate(options: argparse.Namespace) -> list[Shown]:
    """Run the three processes; what was shown."""
    use_private_domain()
    deadline_s = time.monotonic() + options.seconds
    camera = {
        'seed': options.seed,
        'rate_hz': options.rate_hz,
        'views_per_scene': VIEWS_PER_SCENE,
        'orbit_views': ORBIT_VIEWS,
    }
    perception = {'autostart': True, **RELIABLE}
    if options.checkpoint:
        perception['model_path'] = options.checkpoint
    nodes = {'ros.node': ('perception', perception), 'sim.camera_node': ('camera', camera)}
    with ExitStack() as stack:
        children = {}
        for module, (name, parameters) in nodes.items():
            log = options.out / f'{name}.log'
            children[log] = stack.enter_context(child(f'dense_descriptor_ros.{module}', log, parameters))
        rclpy.init()
        stack.callback(rclpy.try_shutdown)
        listener = Listener(options.out)
        while len(listener.images) < options.images and time.monotonic() < deadline_s:
            rclpy.spin_once(listener, timeout_sec=0.2)
            check_alive(children)
    return listener.images


def conclude(images: list[Shown], out: Path) -> None:
    """Print the summary and write the page.

    Raises:
        DenseDescriptorError: no mug was found.
    """
    if not images:
        raise DenseDescriptorError(f'no image came back in time; see {out / "perception.log"}')
    summary = summarise([row for shown in images for row in shown.rows])
    mugs = sum(mug_found(shown.rows) for shown in images)
    p50, p95 = np.percentile([shown.age_ms for shown in images], [50, 95])
    headline = (
        f'{len(images)} images; in {mugs} a mug with handle was found, all it shows within 20 mm. '
        f'Age of the results: median {p50:.0f} ms, 95th percentile {p95:.0f} ms.'
    )
    write_page(out / 'index.html', headline, summary, images)
    print(
        '',
        summary_table(summary),
        '',
        headline,
        f'Page: {out / "index.html"}',
        f'Logs: {out / "perception.log"}, {out / "camera.log"}',
        sep='\n',
    )
    if not mugs:
        raise DenseDescriptorError('no mug with handle was found with its visible parts within 20 mm')


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--out', type=Path, default=Path('demo_out'), help='folder for pictures, page, logs')
    parser.add_argument('--checkpoint', type=Path, help='checkpoint; the shipped one by default')
    parser.add_argument('--seed', type=int, default=0, help='seed of the first scene')
    parser.add_argument('--images', type=int, default=16, help='images to show')
    parser.add_argument('--rate-hz', type=float, default=2.0, help='images per second of the camera')
    parser.add_argument('--seconds', type=float, default=90.0, help='longest duration')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration; the exit status."""
    options = parse(arguments)
    try:
        with errors_in_one_line():
            options.out.mkdir(parents=True, exist_ok=True)
            conclude(demonstrate(options), options.out)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
