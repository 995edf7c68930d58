"""Runs a node as a program."""

import signal
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from dense_descriptor_ros.errors import DenseDescriptorError

SIGNAL_CHECK_S = 0.2

NodeType = TypeVar('NodeType', bound=Node)


def run(create: Callable[[], NodeType], start: Callable[[NodeType], None] = lambda node: None,
        args: list[str] | None = None) -> int:
    """Create a node, start it and spin it until SIGINT or SIGTERM; the exit status.

    The context outlives the signal (rclpy's own handlers end it at once), so that the node can finish what it
    is doing. An error that is the user's to solve is printed as one line.
    """
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node = None
    try:
        node = create()
        start(node)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while not stopping.is_set():
            executor.spin_once(timeout_sec=SIGNAL_CHECK_S)
        return 0
    except (DenseDescriptorError, ParameterException) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    finally:
        # A terminal and `ros2 launch` both send SIGINT: the second one must not kill the clean-up.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        if node is not None:
            node.destroy_node()
        rclpy.shutdown()
