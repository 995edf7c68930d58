"""Nodes as processes of their own."""

from pathlib import Path

import pytest

from dense_descriptor_ros.errors import DenseDescriptorError
from dense_descriptor_ros.sim.node_processes import check_alive, child


def test_children_end_with_the_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'sleeper.py').write_text('import time\nprint("here", flush=True)\ntime.sleep(100)\n')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    with pytest.raises(KeyError), child('sleeper', tmp_path / 'sleeper.log', {}) as process:
        raise KeyError
    assert process.poll() is not None


def test_a_child_that_ends_stops_the_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'failing.py').write_text('print("error: no checkpoint", flush=True)\nraise SystemExit(3)\n')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    log = tmp_path / 'perception.log'
    with child('failing', log, {}) as process:
        check_alive({})
        assert process.wait(20) == 3
        with pytest.raises(DenseDescriptorError, match='perception ended with status 3: error: no'):
            check_alive({log: process})
