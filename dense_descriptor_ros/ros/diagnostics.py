"""The node's state as a diagnostic message."""

import os
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.ros.frame_statistics import Snapshot


def diagnostic_array(
    header: Header,
    node_name: str,
    state: str,
    snapshot: Snapshot,
    silent: list[str],
    device_memory_bytes: int | None = None,
) -> DiagnosticArray:
    """One status.

    ERROR after a drop since the last message for which that fits (`Drop.is_error`), WARN after a bad frame or
    while an input is silent.

    Args:
        header: with the stamp of now.
        node_name: fully qualified.
        state: lifecycle state.
        snapshot: figures since the last message and over the last seconds.
        silent: sentences on the inputs that receive nothing.
        device_memory_bytes: that the network takes on a GPU.
    """
    level, message = judge(state, snapshot, silent)
    rows = [*table(state, snapshot), *memory_rows(device_memory_bytes)]
    values = [KeyValue(key=key, value=value) for key, value in rows]
    status = DiagnosticStatus(level=level, name=f'{node_name}: pipeline', message=message, values=values)
    return DiagnosticArray(header=header, status=[status])


def judge(state: str, snapshot: Snapshot, silent: list[str]) -> tuple[bytes, str]:
    """Level and one line that says why."""
    if any(reason.is_error for reason in snapshot.new_faults):
        return DiagnosticStatus.ERROR, snapshot.last_error
    if silent:
        return DiagnosticStatus.WARN, '; '.join(silent)
    if snapshot.new_faults:
        counts = ', '.join(f'{count} {reason.value}' for reason, count in snapshot.new_faults.items())
        return DiagnosticStatus.WARN, f'skipped frames: {counts}'
    return DiagnosticStatus.OK, state


def table(state: str, snapshot: Snapshot) -> list[tuple[str, str]]:
    """Keys and values; a drop is listed under its reason, also while its count is 0."""
    rows = [('state', state)]
    rows += [(f'{topic}_hz', f'{hz:.1f}') for topic, hz in sorted(snapshot.input_hz.items())]
    rows += [
        ('images_received', str(snapshot.received.get('image', 0))),
        ('images_processed', str(snapshot.processed)),
        ('images_dropped', str(snapshot.dropped_images)),
        ('sync_misses', str(snapshot.drops.get(Drop.IMAGE_UNPAIRED, 0))),
    ]
    rows += [('output_hz', f'{snapshot.output_hz:.1f}')]
    for name, percentiles in (('latency', snapshot.latency_s), ('processing', snapshot.processing_s)):
        for label, value in zip(('p50', 'p95'), percentiles or (None, None), strict=True):
            rows.append((f'{name}_{label}_ms', '' if value is None else f'{1e3 * value:.1f}'))
    rows += [(f'dropped_{reason.value}', str(snapshot.drops.get(reason, 0))) for reason in Drop]
    rows.append(('last_error', snapshot.last_error))
    return rows


def memory_rows(device_memory_bytes: int | None) -> list[tuple[str, str]]:
    """Memory of this process and of the network on its GPU, where there is one."""
    rows = [('memory_mb', f'{resident_bytes() / 2**20:.0f}')]
    return [*rows, ('device_memory_mb', f'{(device_memory_bytes or 0) / 2**20:.0f}')]


def resident_bytes() -> int:
    """Memory of this process that is in RAM; 0 where there is no /proc."""
    try:
        pages = int(Path('/proc/self/statm').read_text(encoding='ascii').split()[1])
    except OSError:
        return 0
    return pages * os.sysconf('SC_PAGE_SIZE')
