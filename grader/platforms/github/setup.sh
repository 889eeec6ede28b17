#!/usr/bin/env bash
# What grading needs on a runner: bubblewrap, the right to make namespaces, and packages; PyTorch for the GPU, if any.
set -euo pipefail
cd "$(dirname "$0")/../../.."

if ! command -v bwrap > /dev/null; then
  sudo apt-get update
  sudo apt-get install -y --no-install-recommends bubblewrap
fi
if [[ "$(sysctl -n kernel.apparmor_restrict_unprivileged_userns 2> /dev/null)" == 1 ]]; then
  sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0  # Ubuntu 23.10 and newer
fi

python3 -m venv .tools
.tools/bin/pip install --quiet uv
.tools/bin/uv venv --python 3.12 .venv
.tools/bin/uv pip install --python .venv --torch-backend auto --requirements pyproject.toml
