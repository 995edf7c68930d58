"""Steps that take different trainings the same time, from a short run of each."""

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dense_descriptor_ros.files import write_json
from dense_descriptor_ros.training.trainer import Trainer

WARM_STEPS = 4
"""Taken before the clock starts: memory is fetched, loaders fill, banks fill."""
TIMED_STEPS = 5
"""At least so many are timed, and more within `TIMED_S`."""
TIMED_S = 10.0


def plan_steps(
    path: Path, names: list[str], make: Callable[[str], Trainer], minutes: float
) -> dict[str, int]:
    """Steps that fit each training's time; measured once, one after the other, and kept in a file.

    Args:
        path: JSON file of the plan.
        names: trainings wanted.
        make: a training of that name, whose steps may be taken and thrown away.
        minutes: what each may take.
    """
    plan: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    for name in names:
        if name not in plan:
            plan[name] = max(1, round(60 * minutes / seconds_a_step(make(name))))
            write_json(path, plan, indent=1)
    return {name: plan[name] for name in names}


def seconds_a_step(trainer: Trainer) -> float:
    """Median time from one step to the next, loading among it."""
    batches = trainer.steps()
    for _ in range(WARM_STEPS):
        trainer.train_step(next(batches))
    spent: list[float] = []
    while len(spent) < TIMED_STEPS or sum(spent) < TIMED_S:
        start = time.perf_counter()
        trainer.train_step(next(batches))
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)
