"""TVM's RPC server or tracker, without the second process that its own command starts: qemu-user could not start one.

Arguments: ``server TRACKER_PORT KEY`` or ``tracker``. Prints the port that it listens on, on loopback.
"""

import sys

HOST, FIRST, LAST = "127.0.0.1", 20000, 30000

if sys.argv[1] == "tracker":
    from tvm.rpc.tracker import PopenTrackerServerState

    state = PopenTrackerServerState(HOST, FIRST, LAST, silent=True)
else:
    from tvm.rpc.server import PopenRPCServerState

    # Two servers that may reuse an address would take the same one where they start together.
    tracker = (HOST, int(sys.argv[2]))
    state = PopenRPCServerState(HOST, FIRST, LAST, tracker_addr=tracker, key=sys.argv[3], reuse_addr=False)
print(state.port, flush=True)
state.thread.join()
