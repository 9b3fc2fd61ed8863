#!/bin/sh
# Installs PersonViT-Edge from this folder, without a network:  sh install.sh [FOLDER]
# FOLDER is the virtual environment to make. It sees the system's Python packages, so that the
# TensorRT of JetPack is found. Neither pip nor python3-venv need be there before.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
python=${PYTHON:-python@PYTHON@}
if [ $# -gt 0 ]; then venv=$1
elif [ "$(id -u)" -eq 0 ]; then venv=/opt/personvit
else venv=$HOME/personvit; fi

stop() { echo "install.sh: $1" >&2; exit 1; }

command -v "$python" >/dev/null || stop "these wheels are for Python @PYTHON@, and there is no $python here; make another wheelhouse, with --python"
found=$("$python" -c 'import platform, sys; print("%d.%d" % sys.version_info[:2], platform.machine())')
[ "$found" = "@PYTHON@ @ARCH@" ] || stop "these wheels are for Python @PYTHON@ on @ARCH@, and this is Python $found; make another wheelhouse"

(cd "$here" && sha256sum --check --quiet SHA256SUMS) || stop "a file is not what it was; copy the folder again"

"$python" -m venv --system-site-packages --without-pip "$venv"
for wheel in "$here"/wheels/pip-*.whl; do pip=$wheel/pip; done
"$venv/bin/python" "$pip" install --quiet --no-index --no-cache-dir --disable-pip-version-check \
    --find-links "$here/wheels" --requirement "$here/packages.txt"

echo "installed in $venv; what this device is:"
"$venv/bin/personvit-engine" doctor || echo "install.sh: the doctor has something to say; see above" >&2
echo "next: $venv/bin/personvit-deploy install BUNDLE"
