"""Nodes as processes of their own, in a ROS domain of their own on this machine."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dense_descriptor_ros.errors import DenseDescriptorError

STOP_S = 10.0
INPUTS = ('image', 'depth', 'camera_info')
# Images are larger than the buffers between two processes. Best effort loses most of them, and the default
# transport of Fast DDS takes seconds to send the lost pieces again.
TRANSPORT = 'LARGE_DATA'
RELIABLE = {f'qos_overrides./{topic}.subscription.reliability': 'reliable' for topic in INPUTS}
"""Parameters of the perception node that subscribes to `INPUTS`."""


def use_private_domain() -> None:
    """Make this process and its children neither hear nor disturb other robots."""
    os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ.setdefault('FASTDDS_BUILTIN_TRANSPORTS', TRANSPORT)


@contextmanager
def child(module: str, log: Path, parameters: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """A node in a process that ends with this block, whatever happens in it."""
    settings = [word for name, value in parameters.items() for word in ('-p', f'{name}:={value}')]
    command = [sys.executable, '-m', module, '--ros-args', *settings]
    with log.open('wb') as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def check_alive(children: dict[Path, subprocess.Popen[bytes]]) -> None:
    """Raise DenseDescriptorError if a child has ended by itself, with the last line of its log."""
    for log, process in children.items():
        if process.poll() is not None:
            last = ''.join(log.read_text(errors='replace').strip().splitlines()[-1:])
            raise DenseDescriptorError(f'{log.stem} ended with status {process.returncode}: {last}')
