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

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SIGNAL_CHECK_S = 0.2
"""Python handles a signal only between two waits of the executor."""

NodeType = TypeVar('NodeType', bound=Node)


def run(
    create: Callable[[], NodeType],
    start: Callable[[NodeType], None] = lambda node: None,
    args: list[str] | None = None,
) -> int:
    """Create a node, start it and spin it until SIGINT or SIGTERM; the exit status.

    The context outlives the signal (rclpy's own handlers end it at once), so that the node can finish what it
    is doing. An error that is the user's to solve is printed as one line.
    """
    stop = stop_on_signal()
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    node = None
    try:
        node = create()
        start(node)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while not stop.is_set():
            executor.spin_once(timeout_sec=SIGNAL_CHECK_S)
        return 0
    except (DenseDescriptorError, ParameterException) as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    finally:
        if node is not None:
            node.destroy_node()
        # rclpy would take away handlers that it never installed, and for a moment a signal would kill.
        rclpy.shutdown(uninstall_handlers=False)


def stop_on_signal() -> threading.Event:
    """An event that the first signal sets; those that follow are ignored to the end of the process.

    It raises nothing: an exception out of nowhere could leave rclpy's objects half made, and would be lost in
    a destructor. So what runs when the signal comes is finished first, the loading of a network too.
    """
    stop = threading.Event()

    def handle(*_: object) -> None:
        # Terminal and `ros2 launch` both send SIGINT. Python gives its own handlers up before it ends.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        stop.set()

    for number in SIGNALS:
        signal.signal(number, handle)
    return stop
