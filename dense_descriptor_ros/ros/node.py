"""The perception node: lifecycle and wiring. What it does to a frame is in `pipeline`.

    perception_node --ros-args -p autostart:=true -r image:=/camera/color/image_raw -r depth:=... \
        -r camera_info:=/camera/color/camera_info
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos_overriding_options import QoSOverridingOptions
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from dense_descriptor_ros.errors import ConfigError, DenseDescriptorError
from dense_descriptor_ros.ros import parameters
from dense_descriptor_ros.ros.bridge import find_cv_bridge
from dense_descriptor_ros.ros.diagnostics import diagnostic_array
from dense_descriptor_ros.ros.drops import Drop
from dense_descriptor_ros.ros.frame_statistics import Statistics
from dense_descriptor_ros.ros.inputs import Inputs, RawFrame
from dense_descriptor_ros.ros.model_loading import LoadEngine, PerceptionEngine, load_engine, warm_up
from dense_descriptor_ros.ros.outputs import Outputs
from dense_descriptor_ros.ros.perceive import Perceiver
from dense_descriptor_ros.ros.pipeline import Environment, Pipeline
from dense_descriptor_ros.ros.reporter import Reporter
from dense_descriptor_ros.ros.run import run
from dense_descriptor_ros.ros.settings import PerceptionSettings, check_change
from dense_descriptor_ros.ros.transforms import Transforms, check_tf
from dense_descriptor_ros.ros.worker import Worker

DIAGNOSTICS_PERIOD_S = 1.0


class PerceptionNode(LifecycleNode):
    """Managed node: loads on configure, subscribes on activate, frees on cleanup.

    `~/enable` (SetBool) lets it rest without unsubscribing; `~/reload_model` (Trigger) loads the network anew
    and keeps the old one if that fails.
    """

    def __init__(self, load: LoadEngine = load_engine, **node_options: Any) -> None:
        super().__init__('perception', **node_options)
        self._load = load
        self._engine: PerceptionEngine | None = None
        self._transforms: Transforms | None = None
        self._enabled = True
        self._perceiver = Perceiver()
        self._outputs: Outputs | None = None
        self._inputs: Inputs | None = None
        self._worker: Worker[RawFrame] | None = None
        self.statistics = Statistics()
        self._reporter = Reporter(self.get_logger(), self.statistics)
        parameters.declare(self, PerceptionSettings)
        self._prepare_tf(self._settings())  # a value given at the start that does not fit ends the process
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self.create_service(SetBool, '~/enable', self._on_enable)
        self.create_service(Trigger, '~/reload_model', self._on_reload_model)
        self._diagnostics = self.create_publisher(
            DiagnosticArray,
            '/diagnostics',
            10,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
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
        if self._transforms is not None:
            self._transforms.close()
        super().destroy_node()

    def _attempt(
        self, step: Callable[[], None], undo: Callable[[], None] | None = None
    ) -> TransitionCallbackReturn | None:
        """None when the step worked; else FAILURE, after saying why, which rclpy would not."""
        if self._works(self.state, step):
            return None
        if undo is not None:
            undo()
        return TransitionCallbackReturn.FAILURE

    def _works(self, name: str, step: Callable[[], None]) -> bool:
        """Whether a step raises nothing; what it raises is reported."""
        try:
            step()
        except Exception as error:
            self._reporter.failed_step(name, error)
            return False
        return True

    def _configure(self) -> None:
        self._load_model()
        self._outputs = Outputs(self)
        bridge, trouble = find_cv_bridge()
        if trouble:
            self.get_logger().warning(trouble)
        self._perceiver.bridge = bridge

    def _load_model(self) -> None:
        settings = self._settings()
        path = Path(settings.model_path).expanduser() if settings.model_path else None
        engine = self._load(path, settings.runtime)
        warm_up(engine)
        self._engine = engine
        self.get_logger().info(f'loaded {path or "the shipped checkpoint"}')

    def _activate(self) -> None:
        outputs = required(self._outputs)
        environment = Environment(
            engine=lambda: required(self._engine),
            settings=self._settings,
            transforms=lambda: required(self._transforms),
            enabled=lambda: self._enabled,
        )
        self._perceiver.reset()
        pipeline = Pipeline(
            environment, outputs, self.get_clock(), self.statistics, self._reporter, self._perceiver
        )
        self._worker = Worker(
            pipeline.process,
            on_superseded=lambda: self._reporter.drop(Drop.SUPERSEDED),
            on_stopped=lambda: self._reporter.drop(Drop.STOPPED),
        )
        self._inputs = Inputs(self, self._settings, self._worker.submit, self._reporter, self.statistics)

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
            self._prepare_tf(check_change(self._settings(), changes, active=self._inputs is not None))
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _prepare_tf(self, settings: PerceptionSettings) -> None:
        """Listen to tf from the first setting on that needs it."""
        check_tf(settings.needs_tf)
        if settings.needs_tf and self._transforms is None:
            self._transforms = Transforms(self)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self._enabled = request.data
        response.success, response.message = True, 'enabled' if request.data else 'disabled'
        return response

    def _on_reload_model(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._engine is None:
            response.message = f'the node is {self.state}: configure it, which loads the model'
        elif self._works('reload_model', self._load_model):
            response.success, response.message = True, 'loaded'
        else:
            response.message = f'{self.statistics.snapshot().last_error}; the former model stays'
        return response

    def _diagnose(self) -> None:
        timeout_s = self._settings().silence_timeout
        silence = self._inputs.silence(timeout_s) if self._inputs is not None and timeout_s else {}
        for topic, sentence in silence.items():
            self._reporter.silence(topic, sentence)
        header = Header(stamp=self.get_clock().now().to_msg())
        self._diagnostics.publish(
            diagnostic_array(
                header,
                self.get_fully_qualified_name(),
                self.state if self._enabled else f'{self.state}, disabled',
                self.statistics.snapshot(),
                list(silence.values()),
                self._engine.device_memory_bytes if self._engine else None,
            )
        )


Value = TypeVar('Value')


def required(value: Value | None) -> Value:
    """The value, which is there in the state in which it is asked for."""
    if value is None:
        raise ConfigError('the node is not configured')
    return value


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
