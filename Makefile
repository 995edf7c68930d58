# Every target prepares the environment first; what is up to date is left alone.

PYTHON ?= $(or $(shell command -v python3.11),python3)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test lint colcon system_packages

setup: $(VENV)/messages.stamp

demo: setup
	$(BIN)/python -m dense_descriptor_ros.sim.demo

test: lint
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	.ci/typecheck.sh $(VENV)

# The whole package into install/, as on a machine with a ROS distribution.
colcon: setup
	. $(BIN)/activate && AMENT_PREFIX_PATH=$$VIRTUAL_ENV CMAKE_PREFIX_PATH=$$VIRTUAL_ENV \
		colcon build --cmake-args -DBUILD_TESTING=OFF

system_packages:
	@.ci/system_packages.sh $(PYTHON)

$(VENV)/packages.stamp: pyproject.toml setup.py .ci/constraints.txt | system_packages
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --editable '.[dev,ros,sim,train]' --constraint .ci/constraints.txt
	touch $@

$(VENV)/messages.stamp: $(VENV)/packages.stamp CMakeLists.txt package.xml $(wildcard msg/*.msg launch/*) \
		.ci/build_messages.sh .ci/relocate_ros_wheels.py
	.ci/build_messages.sh $(VENV)
	touch $@
