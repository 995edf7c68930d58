#!/usr/bin/env bash
# Make a virtual environment with ROS 2 Jazzy in which everything else is that of VENV, so that torch is there once.
# Usage: jazzy.sh VENV JAZZY
#
# A .pth file puts VENV's packages behind JAZZY's own. That hides Kilted's, but for what Jazzy lacks:
# test/ros/test_distribution.py makes sure that none of it is loaded.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$(realpath "$1")
jazzy=$2
site_packages='import sysconfig; print(sysconfig.get_path("purelib"))'

"$venv/bin/python" -m venv --clear "$jazzy"
"$jazzy/bin/python" -m pip install --no-deps --requirement .ci/jazzy.txt
behind=$("$venv/bin/python" -c "$site_packages")
echo "import site; site.addsitedir('$behind')" > "$("$jazzy/bin/python" -c "$site_packages")/behind.pth"
