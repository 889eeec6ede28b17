#!/usr/bin/env bash
# Gradescope runs this as root when it builds the image. What is installed can be read by the user who grades.
set -euo pipefail
cd /autograder/source

apt-get update
apt-get install -y --no-install-recommends bubblewrap python3-venv  # the sandbox works where containers may nest
apt-get clean

python3 -m venv /opt/tools
/opt/tools/bin/pip install --no-cache-dir uv
export UV_NO_CACHE=1 UV_PYTHON_INSTALL_DIR=/opt/python UV_LINK_MODE=copy
/opt/tools/bin/uv venv --managed-python --python 3.12 .venv
/opt/tools/bin/uv pip install --python .venv --torch-backend cpu --compile-bytecode --requirements pyproject.toml

if [[ -f secret ]]; then
  chmod 600 secret
fi
