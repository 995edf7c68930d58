#!/usr/bin/env bash
# Install the Debian packages that the Python wheels need, or say which are missing.
# Usage: system_packages.sh PYTHON
set -euo pipefail
python=$1

# Compiler for the messages; EGL and software OpenGL for PyBullet's renderer; the rest for Open3D.
packages=(g++ make libegl1 libgl1-mesa-dri libgl1 libgomp1 libusb-1.0-0 libx11-6)

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
    echo "error: '$python' is not Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11" >&2
    exit 1
fi
version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
"$python" -c 'import ensurepip' 2> /dev/null || packages+=("$version-venv")
include=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[[ -e $include/Python.h ]] || packages+=("$version-dev")

if ! command -v dpkg-query > /dev/null; then
    echo "note: not a Debian system; what these Debian packages hold must be there: ${packages[*]}" >&2
    exit 0
fi
missing=()
for package in "${packages[@]}"; do
    [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2> /dev/null) == installed ]] ||
        missing+=("$package")
done
[[ ${#missing[@]} == 0 ]] && exit 0

if [[ $EUID != 0 ]]; then
    echo "error: system packages are missing; install them and run make again:" >&2
    echo "    sudo apt-get update && sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 update
apt-get -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends "${missing[@]}"
