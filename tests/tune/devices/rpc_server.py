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

    state = PopenRPCServerState(HOST, FIRST, LAST, tracker_addr=(HOST, int(sys.argv[2])), key=sys.argv[3])
print(state.port, flush=True)
state.thread.join()
