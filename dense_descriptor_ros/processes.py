"""Worker processes."""

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """Let this process, if it is a worker, end when its parent does, however that ends.

    A worker whose parent is killed would otherwise go on with what it was given and then wait for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
