"""Runs a checkpoint over a recording and writes what the node would have published. Needs no ROS.

python -m dense_descriptor_ros.bag RECORDING [--out FRAMES.mcap]
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

from tqdm import tqdm

from dense_descriptor_ros.bag_files import (
    INPUT_TYPES,
    NODE,
    Bag,
    BagError,
    InputTopics,
    McapFile,
    check_new,
    find_inputs,
    new_mcap,
    open_bag,
    option,
)
from dense_descriptor_ros.bag_messages import as_ros2, make_bag, message_types
from dense_descriptor_ros.offline import OfflinePerception
from dense_descriptor_ros.program import errors_in_one_line
from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.ros.settings import PerceptionSettings
from dense_descriptor_ros.ros.topics import OUTPUTS

KNOWN_OUTPUTS = [output for output in OUTPUTS if output.message_type in message_types().types]
OUTPUT_NAMES = [output.name for output in KNOWN_OUTPUTS]
SMALL_OUTPUTS = ['acf_poses', 'poses', 'markers']
OFFLINE = (
    'device',
    'precision',
    'score_threshold',
    'max_instances',
    'min_depth',
    'max_depth',
    'depth_scale',
    'sync_slop',
    'tracking',
    'tracking_gate',
    'tracking_memory',
    'smoothing',
)
"""The node's parameters that mean something for a recording."""


def process(
    bag: Bag,
    inputs: InputTopics,
    perception: OfflinePerception,
    out: McapFile,
    names: Sequence[str] = SMALL_OUTPUTS,
    copy: bool = False,
) -> None:
    """Feed the inputs to the perception, and write what it finds at the time at which the image was recorded.

    Args:
        bag: the recording.
        inputs: its topics that are read.
        perception: works on their messages, and has counted all of them in the end.
        out: where the results go.
        names: outputs to write, of OUTPUT_NAMES.
        copy: whether the inputs are written as well.

    Raises:
        BagError: the recording is damaged.
    """
    outputs = [output for output in KNOWN_OUTPUTS if output.name in names]
    roles = {topic: name for name, topic in asdict(inputs).items()}
    recording = tqdm(bag.messages(*roles), total=bag.count(*roles), desc='bag', unit='message')
    for topic, time_ns, message in recording:
        role = roles[topic]
        if copy:
            type_name = bag.type_of(topic)
            out.write(topic, type_name, as_ros2(message, type_name), time_ns)
        found = perception.take(role, time_ns, message)
        if found is not None:
            for output in outputs:
                built = output.build(make_bag, found.result)
                out.write(f'{NODE}{output.topic[1:]}', output.message_type, built, found.time_ns)
    perception.finish()


def summary(perception: OfflinePerception) -> str:
    """How many images gave a result, and what became of the others."""
    drops = ', '.join(f'{reason.value} {count}' for reason, count in perception.drops.items())
    return f'{perception.processed} of {perception.images} images processed; dropped: {drops or "none"}'


def hint(perception: OfflinePerception) -> str:
    """What to do when no image found its depth."""
    gap_s = perception.last_gap_s
    if perception.drops[Drop.IMAGE_UNPAIRED] < perception.images or gap_s is None:
        return ''
    return f'; the stamps of image and depth last differed by {gap_s:.3f} s: allow more by --sync-slop'


def beside(recording: Path) -> Path:
    """Where the results go by default."""
    name = recording.name if recording.is_dir() else recording.stem
    return recording.absolute().with_name(f'{name}_frames.mcap')


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's arguments."""
    parser = argparse.ArgumentParser(prog='python -m dense_descriptor_ros.bag', description=__doc__)
    parser.add_argument(
        'recording', type=Path, help='rosbag2 folder, .mcap or .db3 file, or .bag file of ROS 1'
    )
    parser.add_argument('--out', type=Path, metavar='MCAP', help='default: RECORDING_frames.mcap')
    for name, type_names in INPUT_TYPES.items():
        kinds = ' or '.join(type_names)
        parser.add_argument(option(name), metavar='TOPIC', help=f'{kinds} (default: the only one there)')
    parser.add_argument('--checkpoint', type=Path, help='.safetensors file (default: the shipped one)')
    parser.add_argument(
        '--outputs', nargs='+', choices=OUTPUT_NAMES, default=SMALL_OUTPUTS, help='default: %(default)s'
    )
    parser.add_argument(
        '--copy', action='store_true', help='write the input topics as well, to play together'
    )
    for spec in fields(PerceptionSettings):
        if spec.name in OFFLINE:
            kind = type(spec.default)
            parser.add_argument(
                option(spec.name),
                default=spec.default,
                help=f'{spec.metadata["description"]} (default: %(default)s)',
                **({'action': argparse.BooleanOptionalAction} if kind is bool else {'type': kind}),
            )
    return parser.parse_args(arguments)


def run(arguments: argparse.Namespace) -> None:
    """Find the topics, load, process and write."""
    settings = PerceptionSettings(**{name: getattr(arguments, name) for name in OFFLINE})
    path: Path = arguments.recording
    out: Path = arguments.out or beside(path)
    check_new(out)
    with open_bag(path) as bag:
        inputs = find_inputs(bag, {name: getattr(arguments, name) for name in INPUT_TYPES})
        print(', '.join(f'{name}: {topic}' for name, topic in asdict(inputs).items()))
        from dense_descriptor_ros.engine import Engine  # loads torch, for which no error above need wait

        engine = Engine.load(arguments.checkpoint, settings.device, precision=settings.precision)
        perception = OfflinePerception(engine, settings, partial(tqdm.write, file=sys.stderr))
        with new_mcap(out) as file:
            process(bag, inputs, perception, file, arguments.outputs, arguments.copy)
            if not perception.processed:
                raise BagError(f'{path}: nothing to write, {summary(perception)}{hint(perception)}')
    print(f'{out}: {summary(perception)}')


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    with errors_in_one_line():
        run(parse_arguments(arguments))


if __name__ == '__main__':
    main()
