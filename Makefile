# Every target prepares the environment first; what is up to date is left alone.

PYTHON ?= $(or $(shell command -v python3.11),python3)
VENV := .venv
BIN := $(VENV)/bin
JAZZY := .venv-jazzy
MESSAGES := CMakeLists.txt package.xml $(wildcard msg/*.msg launch/*) \
	.ci/build_messages.sh .ci/relocate_ros_wheels.py
COLCON := . $(BIN)/activate && AMENT_PREFIX_PATH=$$VIRTUAL_ENV CMAKE_PREFIX_PATH=$$VIRTUAL_ENV colcon

# Of a sourced ROS, or of the wheels' Python that make was started by: no other ROS than an environment's own.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH _ROS_WHEELS_BOOTSTRAP_COMPLETE

.PHONY: setup demo test test_jazzy soak lint colcon colcon_test system_packages

setup: $(VENV)/messages.stamp

demo: setup
	$(BIN)/python -m dense_descriptor_ros.sim.demo

test: lint
	ROS_DISTRO=kilted $(BIN)/python -m pytest

# What talks to ROS, with Jazzy in place of Kilted.
test_jazzy: $(JAZZY)/messages.stamp
	ROS_DISTRO=jazzy $(JAZZY)/bin/python -m pytest test/ros test/sim/test_camera_node.py

# The node for minutes beside a camera of 30 Hz; MINUTES=480 for a night.
MINUTES ?= 3
soak: setup
	$(BIN)/python -m dense_descriptor_ros.sim.soak --minutes $(MINUTES)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/ament_lint_cmake CMakeLists.txt
	.ci/typecheck.sh $(VENV)

# The whole package into install/, as on a machine with a ROS distribution.
colcon: setup
	$(COLCON) build --cmake-args -DBUILD_TESTING=OFF

# The tests that CMakeLists.txt names, on what colcon installed.
colcon_test: setup
	$(COLCON) build --cmake-args -DBUILD_TESTING=ON
	$(COLCON) test
	$(COLCON) test-result --all --verbose

system_packages:
	@.ci/system_packages.sh $(PYTHON)

$(VENV)/packages.stamp: pyproject.toml setup.py .ci/constraints.txt | system_packages
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --editable '.[dev,ros,sim,train]' --constraint .ci/constraints.txt
	touch $@

$(JAZZY)/packages.stamp: .ci/jazzy.sh .ci/jazzy.txt | $(VENV)/packages.stamp
	.ci/jazzy.sh $(VENV) $(JAZZY)
	touch $@

%/messages.stamp: %/packages.stamp $(MESSAGES)
	.ci/build_messages.sh $*
	touch $@
