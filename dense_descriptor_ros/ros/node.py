"""The perception node: lifecycle and wiring. What it does to a frame is in `pipeline`.

    perception_node --ros-args -p autostart:=true -r image:=/camera/color/image_raw -r depth:=... \
        -r camera_info:=/camera/color/camera_info
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import Header

from dense_descriptor_ros.errors import ConfigError, DenseDescriptorError
from dense_descriptor_ros.ros import parameters
from dense_descriptor_ros.ros.diagnostics import diagnostic_array
from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.ros.frame_statistics import Statistics
from dense_descriptor_ros.ros.inputs import Inputs, RawFrame
from dense_descriptor_ros.ros.outputs import Outputs
from dense_descriptor_ros.ros.pipeline import PerceptionEngine, Pipeline
from dense_descriptor_ros.ros.reporter import Reporter
from dense_descriptor_ros.ros.run import run
from dense_descriptor_ros.ros.settings import PerceptionSettings, check_change
from dense_descriptor_ros.ros.worker import Worker

DIAGNOSTICS_PERIOD_S = 1.0
WARM_UP_SIZE = (480, 640)

LoadEngine = Callable[[Path | None, str], PerceptionEngine]


def load_engine(path: Path | None, device: str) -> PerceptionEngine:
    """The engine of a checkpoint, the shipped one without a path."""
    # torch takes seconds to import; until then the node is already there and answers.
    from dense_descriptor_ros.engine import Engine

    return Engine.load(path, device)


class PerceptionNode(LifecycleNode):
    """Managed node: loads on configure, subscribes on activate, frees on cleanup."""

    def __init__(self, load: LoadEngine = load_engine, **node_options: Any) -> None:
        super().__init__('perception', **node_options)
        self._load = load
        self._engine: PerceptionEngine | None = None
        self._outputs: Outputs | None = None
        self._inputs: Inputs | None = None
        self._worker: Worker[RawFrame] | None = None
        self.statistics = Statistics()
        self._reporter = Reporter(self.get_logger(), self.statistics)
        parameters.declare(self, PerceptionSettings)
        self._settings()  # a value given at the start that does not fit ends the process
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        # On the steady clock: with simulated time and no /clock the node must still say what is wrong.
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def state(self) -> str:
        """Label of the lifecycle state, such as `active`."""
        return str(self._state_machine.current_state[1])

    def start(self) -> None:
        """Configure and activate.

        Raises:
            DenseDescriptorError: one of the two fails; the log says why.
        """
        for transition in (self.trigger_configure, self.trigger_activate):
            if transition() is not TransitionCallbackReturn.SUCCESS:
                reason = self.statistics.snapshot().last_error
                raise DenseDescriptorError(reason or f'the node stays {self.state}')

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the network and advertise the outputs."""
        return self._attempt(self._configure, undo=self._free) or super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and start to infer."""
        return self._attempt(self._activate, undo=self._deactivate) or super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe; the frame in work is published first."""
        return self._attempt(self._deactivate) or super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the network and take the outputs away."""
        return self._attempt(self._free) or super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop from any state."""
        return self._attempt(self._free) or super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured."""
        return self._attempt(self._free) or super().on_error(state)

    def destroy_node(self) -> None:
        """Stop and free everything."""
        self._free()
        super().destroy_node()

    def _attempt(
        self, step: Callable[[], None], undo: Callable[[], None] | None = None
    ) -> TransitionCallbackReturn | None:
        """None when the step worked; else FAILURE, after saying why, which rclpy would not."""
        try:
            step()
        except Exception as error:
            self._reporter.failed_step(self.state, error)
            if undo is not None:
                undo()
            return TransitionCallbackReturn.FAILURE
        return None

    def _configure(self) -> None:
        settings = self._settings()
        path = Path(settings.model_path).expanduser() if settings.model_path else None
        self._engine = self._load(path, settings.device)
        warm_up(self._engine)
        self._outputs = Outputs(self)
        self.get_logger().info(f'loaded {path or "the shipped checkpoint"}')

    def _activate(self) -> None:
        if self._engine is None or self._outputs is None:
            raise ConfigError('the node is not configured')
        pipeline = Pipeline(
            self._engine, self._outputs, self._settings, self.get_clock(), self.statistics, self._reporter
        )
        self._worker = Worker(pipeline.process, lambda: self._reporter.drop(Drop.SUPERSEDED))
        self._inputs = Inputs(
            self,
            slop_s=lambda: self._settings().sync_slop_s,
            submit=self._worker.submit,
            reporter=self._reporter,
            statistics=self.statistics,
        )

    def _deactivate(self) -> None:
        if self._inputs is not None:
            self._inputs.destroy()
        if self._worker is not None:
            self._worker.stop()
        self._inputs = self._worker = None

    def _free(self) -> None:
        self._deactivate()
        if self._outputs is not None:
            self._outputs.destroy()
        self._outputs = self._engine = None

    def _settings(self) -> PerceptionSettings:
        return parameters.read(self, PerceptionSettings)

    def _on_set_parameters(self, changes: list[Parameter]) -> SetParametersResult:
        try:
            check_change(self._settings(), changes, configured=self._engine is not None)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _diagnose(self) -> None:
        watchdog_s = self._settings().watchdog_s
        silence = self._inputs.silence(watchdog_s) if self._inputs is not None and watchdog_s else {}
        for topic, sentence in silence.items():
            self._reporter.silence(topic, sentence)
        header = Header(stamp=self.get_clock().now().to_msg())
        self._diagnostics.publish(
            diagnostic_array(
                header,
                self.get_fully_qualified_name(),
                self.state,
                self.statistics.snapshot(),
                list(silence.values()),
            )
        )


def warm_up(engine: PerceptionEngine) -> None:
    """Infer once on a flat scene: the first inference allocates, for which no camera should wait."""
    height, width = WARM_UP_SIZE
    K = np.array([[width, 0, width / 2], [0, width, height / 2], [0, 0, 1]])
    engine.infer(np.zeros((height, width, 3), np.uint8), np.ones((height, width), np.float32), K)


def start(node: PerceptionNode) -> None:
    """Bring the node to active if it is to start itself."""
    if node.get_parameter('autostart').value:
        node.start()
    node.get_logger().info(f'ready, {node.state}')


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop; the exit status."""
    return run(PerceptionNode, start, args)


if __name__ == '__main__':
    sys.exit(main())
