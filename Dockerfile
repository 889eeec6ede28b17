# The assignment in a container; your folder is mounted, so your files and outputs/ stay outside.
#
#   docker build -t ddpm .                                # for CPUs
#   docker build -t ddpm --build-arg TORCH=cuda .         # for NVIDIA GPUs; then add --gpus all to the lines below
#   docker run --rm -v "$PWD":/ddpm -u "$(id -u)" ddpm make demo
#   docker run --rm -v "$PWD":/ddpm -u "$(id -u)" ddpm make test-level1 CONFIG=configs/digits.yaml
FROM python:3.12-slim
ARG TORCH=cpu
RUN apt-get update \
 && apt-get install -y --no-install-recommends make \
 && rm -rf /var/lib/apt/lists/*
COPY requirements.txt /tmp/
# without CUDA's libraries unless they are asked for: they take gigabytes
RUN case "$TORCH" in \
      cpu) builds="--extra-index-url https://download.pytorch.org/whl/cpu" ;; \
      cuda) builds="" ;; \
      *) echo "TORCH=$TORCH: expected cpu or cuda" >&2; exit 2 ;; \
    esac \
 && pip install --no-cache-dir $builds -r /tmp/requirements.txt
# make uses this Python; whoever is told by -u has no name and no home here
ENV MAKEFLAGS="PYTHON=python" USER=student HOME=/tmp
WORKDIR /ddpm
CMD ["make", "demo"]
