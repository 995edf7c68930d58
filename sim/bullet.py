"""Connections to PyBullet, without the chatter that its libraries print."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from dense_descriptor_ros.errors import ConfigError

RENDERERS = ('auto', 'egl', 'tiny')


@contextmanager
def silenced() -> Iterator[None]:
    """Drop what C code writes to stdout and stderr meanwhile."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        yield
    finally:
        for number, saved in enumerate(kept, start=1):
            os.dup2(saved, number)
            os.close(saved)
        os.close(sink)


with silenced():
    import pybullet
    from pybullet_utils.bullet_client import BulletClient

__all__ = ['RENDERERS', 'BulletClient', 'connect', 'connect_renderer', 'silenced', 'working_renderer']


def connect() -> BulletClient:
    """A new physics server in this process."""
    with silenced():
        client = BulletClient(pybullet.DIRECT)
    client.setPhysicsEngineParameter(enableFileCaching=0, deterministicOverlappingPairs=1)
    return client


def connect_renderer(renderer: str) -> tuple[BulletClient, int]:
    """A server that renders with OpenGL ('egl'), in software ('tiny'), or with the first that works ('auto').

    Returns:
        The client and PyBullet's number of its renderer.

    Raises:
        ConfigError: the name is unknown, or EGL was asked for and does not start.
    """
    if renderer not in RENDERERS:
        raise ConfigError(f'renderer is {renderer!r}: expected one of {list(RENDERERS)}')
    client = connect()
    if renderer == 'tiny':
        return client, pybullet.ER_TINY_RENDERER
    plugin = importlib.util.find_spec('eglRenderer')
    with silenced():
        started = plugin is not None and client.loadPlugin(plugin.origin, '_eglRendererPlugin') >= 0
    if started:
        return client, pybullet.ER_BULLET_HARDWARE_OPENGL
    if renderer == 'egl':
        raise ConfigError(
            'renderer=egl does not start: install libegl1 and libgl1-mesa-dri, or use renderer=tiny'
        )
    return client, pybullet.ER_TINY_RENDERER


def working_renderer(renderer: str) -> str:
    """'egl' or 'tiny': what `renderer` stands for on this machine."""
    client, number = connect_renderer(renderer)
    with silenced():
        client.disconnect()
    return 'tiny' if number == pybullet.ER_TINY_RENDERER else 'egl'
