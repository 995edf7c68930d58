"""One thread that works on the newest item."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar('Item')


class Worker(Generic[Item]):
    """Calls `process` on its own thread with the newest item; an older one still waiting is superseded.

    `process` must not raise.
    """

    def __init__(
        self,
        process: Callable[[Item], None],
        on_superseded: Callable[[], None],
        on_stopped: Callable[[], None],
    ) -> None:
        self._process = process
        self._on_superseded = on_superseded
        self._on_stopped = on_stopped
        self._changed = threading.Condition()
        self._next: Item | None = None
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name='inference', daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> None:
        """Hand over an item without waiting."""
        with self._changed:
            superseded = self._next is not None
            self._next = item
            self._changed.notify()
        if superseded:
            self._on_superseded()

    def stop(self) -> None:
        """Give up what waits, and return when the item in work is done."""
        with self._changed:
            self._stopping = True
            waiting, self._next = self._next is not None, None
            self._changed.notify()
        if waiting:
            self._on_stopped()
        self._thread.join()

    def _run(self) -> None:
        while (item := self._take()) is not None:
            self._process(item)

    def _take(self) -> Item | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._next is not None)
            item, self._next = self._next, None
            return None if self._stopping else item
