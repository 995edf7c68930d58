"""The node as a process: how it ends."""

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

NODE = [sys.executable, '-m', 'dense_descriptor_ros.ros.node']


def test_bad_parameter_is_one_line_and_status_1() -> None:
    arguments = ['--ros-args', '-p', 'score_threshold:=2.0']
    result = subprocess.run([*NODE, *arguments], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert result.stderr.startswith('error: ') and 'score_threshold' in result.stderr
    assert 'Traceback' not in result.stderr


def test_autostart_without_checkpoint_is_an_error() -> None:
    arguments = ['--ros-args', '-p', 'autostart:=true', '-p', 'model_path:=/no/such.safetensors']
    result = subprocess.run([*NODE, *arguments], capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert 'error: /no/such.safetensors: no such checkpoint' in result.stderr
    assert 'Traceback' not in result.stderr


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    with subprocess.Popen(
        NODE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, 'RCUTILS_LOGGING_BUFFERED_STREAM': '0'},
    ) as process:
        assert process.stdout is not None
        assert 'unconfigured' in process.stdout.readline()
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
        assert process.stdout.read() == ''


def test_a_second_sigint_does_not_kill_the_clean_up() -> None:
    with subprocess.Popen(NODE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
        assert process.returncode == 0


def test_a_signal_while_the_node_starts_ends_it_cleanly() -> None:
    # An exception from the signal's handler left a half made executor, whose destructor then failed.
    program = """
import os, signal, sys
from rclpy.node import Node
from dense_descriptor_ros.ros import run

class Executor(run.SingleThreadedExecutor):
    def __init__(self):
        os.kill(os.getpid(), signal.SIGINT)
        super().__init__()

run.SingleThreadedExecutor = Executor
sys.exit(run.run(lambda: Node('interrupted'), args=[]))
"""
    result = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')


def test_the_end_takes_no_handler_away() -> None:
    # rclpy.shutdown() does by default, and a second signal in that moment killed the process.
    program = """
import os, signal, sys
import rclpy
from rclpy.node import Node
from dense_descriptor_ros.ros.run import run

rclpy.uninstall_signal_handlers = lambda: print('taken away')
sys.exit(run(lambda: Node('ending'), lambda node: os.kill(os.getpid(), signal.SIGINT), args=[]))
"""
    result = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')


def test_after_kill_9_a_new_process_goes_on(rig: Any) -> None:
    """What a killed node leaves in the middleware, shared memory for one, must not hinder its successor."""
    rig.listen('acf_poses')
    command = [*NODE, '--ros-args', '-r', f'__ns:={rig.namespace}', '-p', 'autostart:=true']
    command += ['-p', 'device:=cpu']
    for _ in range(2):
        count = len(rig.received['acf_poses'])
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            end_s = time.monotonic() + 60
            while len(rig.received['acf_poses']) == count and time.monotonic() < end_s:
                for name, message in rig.messages().items():
                    rig.publishers[name].publish(message)
                rig.executor.spin_once(timeout_sec=0.1)
            process.kill()
        assert len(rig.received['acf_poses']) > count
