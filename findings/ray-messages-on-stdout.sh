#!/bin/sh
# Ray 2.60.0: a driver's stdout gets lines that it did not print. When a worker's process ends, Ray prints "(raylet) A
# worker died or was killed ..." to the driver's sys.stdout, from a thread of its own, also with log_to_driver=False and
# logging_level="ERROR". A program that prints JSON prints something else on exactly the runs that survived a failure.
#
# Met when `snapship score --ray --json` outlived a killed actor: cluster/connection.py sends what is printed while it is
# joined to stderr.
#
# The input is an actor that may be started again once, whose process is ended by a signal. Output seen on 2026-11-30:
#
#   lines on stdout: 2
#   (raylet) A worker died or was killed while executing a task by an unexpected system error. To troubleshoot ...
#   {"answer": 42}
#
# Ends with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check ray==2.60.0
cat >"$folder/driver.py" <<'PROGRAM'
import json
import os
import signal
import time

import ray

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")


@ray.remote(max_restarts=1)
class Worker:
    def pid(self):
        return os.getpid()

    def sleep(self):
        time.sleep(60)

    def answer(self):
        return 42


worker = Worker.remote()
pid = ray.get(worker.pid.remote())
lost = worker.sleep.remote()
time.sleep(1)
os.kill(pid, signal.SIGKILL)
try:
    ray.get(lost)
except ray.exceptions.RayActorError:
    pass
for _ in range(60):
    try:
        answer = ray.get(worker.answer.remote())
        break
    except ray.exceptions.RayActorError:
        time.sleep(1)
# The message is on its way.
time.sleep(5)
print(json.dumps({"answer": answer}), flush=True)
PROGRAM
RAY_USAGE_STATS_ENABLED=0 HOME="$folder" RAY_TMPDIR="$folder" "$folder/venv/bin/python" "$folder/driver.py" \
    >"$folder/stdout" 2>"$folder/stderr" || { cat "$folder/stderr"; exit 1; }
echo "lines on stdout: $(wc -l <"$folder/stdout")"
cut -c1-160 "$folder/stdout"
grep -q "(raylet)" "$folder/stdout"
