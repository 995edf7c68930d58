#!/usr/bin/env bash
# Run mypy on the package as it installs, with sim/ and training/ inside it.
# Usage: typecheck.sh VENV
#
# mypy follows no editable install whose folders lie apart, so it gets links in the installed layout.
set -euo pipefail
cd "$(dirname "$0")/.."
mypy=$(realpath --no-symlinks "$1/bin/mypy")
layout=.mypy_cache/layout
rm -rf "$layout"
mkdir -p "$layout/dense_descriptor_ros"
ln -s "$PWD"/dense_descriptor_ros/* "$PWD/sim" "$PWD/training" "$layout/dense_descriptor_ros"
root=$PWD
cd "$layout"
"$mypy" --config-file "$root/pyproject.toml" --cache-dir "$root/.mypy_cache" --package dense_descriptor_ros
