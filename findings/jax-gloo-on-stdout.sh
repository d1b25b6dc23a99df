#!/bin/sh
# jaxlib 0.10.2: a program that joins other processes by jax.distributed on CPUs gets a line on stdout that it did not
# print, when Gloo connects them at the first collective: "[Gloo] Rank 0 is connected to 1 peer ranks. ...". It comes
# from native code, so redirecting sys.stdout does not help, and no logging option covers it.
#
# Met when `snapship train --distributed env --json` printed one document and that line: trainer/ranks/opening.py
# discards what native code prints while the ranks connect.
#
# The input is a sum over two processes of this machine. Output seen on 2026-11-30:
#
#   lines on stdout of rank 0: 2
#   [Gloo] Rank 0 is connected to 1 peer ranks. Expected number of connected peer ranks is : 1
#   {"sum": 3}
#
# Ends with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check jax==0.10.2 jaxlib==0.10.2
cat >"$folder/program.py" <<'PROGRAM'
import json
import sys

import jax
import numpy as np
from jax.experimental import multihost_utils

rank, port = int(sys.argv[1]), sys.argv[2]
jax.distributed.initialize(f"127.0.0.1:{port}", 2, rank)
total = int(np.sum(multihost_utils.process_allgather(np.array([rank + 1]))))
print(json.dumps({"sum": total}), flush=True)
PROGRAM
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export JAX_PLATFORMS=cpu
"$folder/venv/bin/python" "$folder/program.py" 1 "$port" >/dev/null 2>&1 &
"$folder/venv/bin/python" "$folder/program.py" 0 "$port" >"$folder/stdout" 2>"$folder/stderr" || { cat "$folder/stderr"; exit 1; }
wait
echo "lines on stdout of rank 0: $(wc -l <"$folder/stdout")"
cat "$folder/stdout"
grep -q "Gloo" "$folder/stdout"
