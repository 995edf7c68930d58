"""The worker thread and the throttle."""

import threading
import time

from dense_descriptor_ros.ros.reporter import Throttle
from dense_descriptor_ros.ros.worker import Worker


def test_newest_wins_and_the_rest_is_counted() -> None:
    done: list[int] = []
    superseded: list[int] = []
    started, go, finished = threading.Event(), threading.Event(), threading.Event()

    def process(item: int) -> None:
        started.set()
        assert go.wait(5)
        done.append(item)
        if item == 4:
            finished.set()

    worker = Worker(process, lambda: superseded.append(1), lambda: superseded.append(2))
    worker.submit(1)
    assert started.wait(5)
    for item in (2, 3, 4):
        worker.submit(item)
    go.set()
    assert finished.wait(5)
    worker.stop()
    assert (done, superseded) == ([1, 4], [1, 1])


def test_stop_waits_for_the_item_in_work_and_gives_up_the_next() -> None:
    done: list[int] = []
    stopped: list[bool] = []
    started, go = threading.Event(), threading.Event()

    def process(item: int) -> None:
        started.set()
        assert go.wait(5)
        done.append(item)

    worker = Worker(process, lambda: None, lambda: stopped.append(True))
    worker.submit(1)
    assert started.wait(5)
    worker.submit(2)
    stopper = threading.Thread(target=worker.stop)
    stopper.start()
    while not worker._stopping:
        time.sleep(0.001)
    go.set()
    stopper.join(5)
    assert not stopper.is_alive()
    assert (done, stopped) == ([1], [True])


def test_throttle_is_by_key() -> None:
    now = [0.0]
    throttle = Throttle(5.0, clock=lambda: now[0])
    assert [throttle.allows('a'), throttle.allows('a'), throttle.allows('b')] == [True, False, True]
    now[0] = 5.0
    assert throttle.allows('a') and not throttle.allows('a')
