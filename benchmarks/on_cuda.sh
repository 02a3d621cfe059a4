#!/bin/sh
# What has to be shown on a GPU, in about ten minutes: benchmarks/on_cuda.sh [PYTHON]. The records are benchmarks/results/*-cuda*.json.
# Peers that are not installed are left out and named: pip install liger-kernel cut-cross-entropy quack-kernels.
set -e
cd "$(dirname "$0")"
python=${1:-python}
# The kernels first: a figure of a wrong result is worth nothing.
"$python" -m pytest -q ../tests/triton/test_triton_device.py ../tests/triton/test_triton_softmax_rows.py
"$python" linear_statistics.py --device cuda --dtype bfloat16
"$python" linear.py --device cuda --dtype bfloat16
"$python" linear.py --device cuda --dtype bfloat16 --scores peaked
