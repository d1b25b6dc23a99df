"""A Ray cluster of two nodes on loopback; run in the environment of Ray.

Prints its address, and that for Ray Client.
``remove`` on stdin kills the second node without a word to the first; the end of stdin ends all.
"""

from __future__ import annotations

import os
import socket
import sys

from ray.cluster_utils import Cluster

# Not 127.0.0.1, for which Ray puts the machine's own address.
LOOPBACK = {"node_ip_address": "127.0.0.2", "object_store_memory": 100 * 1024**2, "num_cpus": 1}

if __name__ == "__main__":
    with socket.create_server((LOOPBACK["node_ip_address"], 0)) as free:
        port = free.getsockname()[1]
    head = {**LOOPBACK, "include_dashboard": False, "ray_client_server_port": port}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    second = cluster.add_node(**LOOPBACK)
    print(cluster.address, f"ray://{LOOPBACK['node_ip_address']}:{port}", flush=True)
    for line in sys.stdin:
        if line.strip() == "remove":
            cluster.remove_node(second, allow_graceful=False)
            print("removed", flush=True)
    for node in cluster.list_all_nodes():
        node.kill_all_processes(check_alive=False, allow_graceful=False, wait=False)
    os._exit(0)
