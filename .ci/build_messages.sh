#!/usr/bin/env bash
# Build the messages and install them in the virtual environment, so that nothing has to be sourced.
# Usage: build_messages.sh VENV
#
# The shared libraries go to VENV/lib, which the ROS wheels put on the library path. The generated Python goes
# to a folder that is not on Python's path, since a second `dense_descriptor_ros` there would hide the
# checkout's. A .pkg file names that folder to pkgutil.extend_path in dense_descriptor_ros/__init__.py.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(realpath "$1")
unset MAKEFLAGS MAKELEVEL  # of the make that runs this script
generated=lib/dense_descriptor_ros_messages

"$venv/bin/python" .ci/relocate_ros_wheels.py
export PATH=$venv/bin:$PATH AMENT_PREFIX_PATH=$venv CMAKE_PREFIX_PATH=$venv
rm -rf "$venv/build" "${venv:?}/$generated"
"$venv/bin/python" -m cmake -S . -B "$venv/build" \
    -DCMAKE_INSTALL_PREFIX="$venv" -DPYTHON_INSTALL_DIR="$generated" -DPYTHON_SOURCES=OFF \
    -DPython3_EXECUTABLE="$venv/bin/python" -DBUILD_TESTING=OFF -DCMAKE_INSTALL_MESSAGE=NEVER
"$venv/bin/python" -m cmake --build "$venv/build" --parallel
"$venv/bin/python" -m cmake --install "$venv/build"

site_packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$venv/$generated/dense_descriptor_ros" > "$site_packages/dense_descriptor_ros.pkg"
