"""Which of the frames that the network found are worth telling."""

from collections.abc import Sequence

from dense_descriptor_ros.frames import AffordanceFrame


def select(
    frames: Sequence[AffordanceFrame], score_threshold: float, max_instances: int
) -> list[AffordanceFrame]:
    """Frames at or above the threshold, of the objects whose best frames score highest, in their order."""
    kept = [frame for frame in frames if frame.score >= score_threshold]
    best: dict[int, float] = {}
    for frame in kept:
        best[frame.instance] = max(frame.score, best.get(frame.instance, 0.0))
    instances = set(sorted(best, key=lambda instance: -best[instance])[:max_instances])
    return [frame for frame in kept if frame.instance in instances]
