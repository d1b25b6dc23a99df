#!/bin/sh
# Ray 2.60.0: a driver that declares an option of an actor's method with ray.method(max_task_retries=...) runs when it
# joins a cluster by HOST:PORT, and fails when it joins the same cluster through Ray Client, by ray://HOST:PORT: an
# AssertionError says that only num_returns and concurrency_group are known. The same option with a call,
# actor.method.options(max_task_retries=...), is taken in both ways.
#
# Met when `snapship score --ray ray://...` was first tested; cluster/ray_crew.py gives the option with the call.
#
# The input is an actor that answers 1. Output seen on 2026-12-01:
#
#   host:port, ray.method: 1
#   host:port, options: 1
#   ray://, ray.method: AssertionError
#   ray://, options: 1
#
# Ends with 0 while that is so, and with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check ray==2.60.0 grpcio==1.85.3
cat >"$folder/cluster.py" <<'PROGRAM'
import socket
import subprocess
import sys

from ray.cluster_utils import Cluster

# Not 127.0.0.1, for which Ray puts the machine's own address.
host = "127.0.0.2"
with socket.create_server((host, 0)) as free:
    port = free.getsockname()[1]
node = {"node_ip_address": host, "num_cpus": 2, "include_dashboard": False, "ray_client_server_port": port}
cluster = Cluster(initialize_head=True, head_node_args=node)
found = []
for name, address, own in (
    ("host:port", cluster.address, [host]),
    ("ray://", f"ray://{host}:{port}", []),
):
    for way in ("ray.method", "options"):
        words = []
        # The server's first process imports a new installation, for which a client does not always wait.
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, sys.argv[1], address, way, *own], stdout=subprocess.PIPE, text=True, check=False
            )
            if words := done.stdout.split():
                break
        found.append(words[-1] if words else "no answer")
        print(f"{name}, {way}: {found[-1]}", flush=True)
cluster.shutdown()
raise SystemExit(found != ["1", "1", "AssertionError", "1"])
PROGRAM
cat >"$folder/driver.py" <<'PROGRAM'
import sys

import ray

address, way, *own = sys.argv[1:]
ray.init(address, log_to_driver=False, logging_level="ERROR", **({"_node_ip_address": own[0]} if own else {}))


class Actor:
    def answer(self):
        return 1


try:
    if way == "ray.method":
        ray.method(max_task_retries=3)(Actor.answer)
    call = ray.remote(Actor).remote().answer
    if way == "options":
        call = call.options(max_task_retries=3)
    print(ray.get(call.remote()))
except AssertionError as error:
    print(type(error).__name__)
PROGRAM
RAY_USAGE_STATS_ENABLED=0 "$folder/venv/bin/python" "$folder/cluster.py" "$folder/driver.py" 2>"$folder/stderr"
