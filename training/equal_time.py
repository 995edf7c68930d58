"""Steps that take different trainings the same time, by a measurement that other load hardly disturbs."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch.utils.data import default_collate

from dense_descriptor_ros.files import write_json
from dense_descriptor_ros.training.objectives.objective import Batch
from dense_descriptor_ros.training.trainer import Trainer

TIMED_STEPS = 6


def plan_steps(
    path: Path, names: list[str], make: Callable[[str], Trainer], minutes: float
) -> dict[str, int]:
    """Steps that fit each training's time; measured once, and kept in a file.

    Each is timed in turns with the first one that ever was, whose seconds a step count for all: the machine
    may be busier at another time.

    Args:
        path: JSON file of the plan.
        names: trainings wanted.
        make: a training of that name, whose steps may be taken and thrown away.
        minutes: what each may take.
    """
    plan: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {'steps': {}}
    missing = [name for name in names if name not in plan['steps']]
    if missing:
        plan.setdefault('clock', missing[0])
        clock = make(plan['clock'])
        for name in missing:
            base_s, ratio = step_ratio(clock, make(name))
            plan.setdefault('base_s', base_s)
            plan['steps'][name] = max(1, round(60 * minutes / (plan['base_s'] * ratio)))
            write_json(path, plan, indent=1)
    return {name: plan['steps'][name] for name in names}


def step_ratio(clock: Trainer, other: Trainer) -> tuple[float, float]:
    """Seconds of a step of one training, and how many times as long the other's takes; in turns."""
    trainers = (clock, other)
    spent: dict[int, list[float]] = {0: [], 1: []}
    batches = [first_batches(trainer) for trainer in trainers]
    for _ in range(TIMED_STEPS):
        for which, trainer in enumerate(trainers):
            start = time.perf_counter()
            trainer.train_step(batches[which])
            spent[which].append(time.perf_counter() - start)
    clock_s, other_s = min(spent[0]), min(spent[1])
    return clock_s, other_s / clock_s


def first_batches(trainer: Trainer) -> list[Batch]:
    """What its first step takes."""
    settings = trainer.config.optimiser
    items = [trainer.items[k] for k in range(settings.batch)]
    return [default_collate(items)] * settings.accumulate
