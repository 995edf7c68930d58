"""The node's state as a diagnostic message."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_msgs.msg import Header

from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.ros.frame_statistics import Snapshot


def diagnostic_array(
    header: Header, node_name: str, state: str, snapshot: Snapshot, silent: list[str]
) -> DiagnosticArray:
    """One status.

    ERROR after a failure since the last message, WARN after a bad frame or while an input is silent.

    Args:
        header: with the stamp of now.
        node_name: fully qualified.
        state: lifecycle state.
        snapshot: figures since the last message and over the last seconds.
        silent: sentences on the inputs that receive nothing.
    """
    level, message = judge(state, snapshot, silent)
    values = [KeyValue(key=key, value=value) for key, value in table(state, snapshot)]
    status = DiagnosticStatus(level=level, name=f'{node_name}: pipeline', message=message, values=values)
    return DiagnosticArray(header=header, status=[status])


def judge(state: str, snapshot: Snapshot, silent: list[str]) -> tuple[bytes, str]:
    """Level and one line that says why."""
    if Drop.FAILURE in snapshot.new_faults:
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
    rows += [('output_hz', f'{snapshot.output_hz:.1f}')]
    for name, percentiles in (('latency', snapshot.latency_s), ('processing', snapshot.processing_s)):
        for label, value in zip(('p50', 'p95'), percentiles or (None, None), strict=True):
            rows.append((f'{name}_{label}_ms', '' if value is None else f'{1e3 * value:.1f}'))
    rows += [(f'dropped_{reason.value}', str(snapshot.drops.get(reason, 0))) for reason in Drop]
    rows.append(('last_error', snapshot.last_error))
    return rows
