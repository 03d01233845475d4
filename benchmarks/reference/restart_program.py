"""benchmarks/reference/restart_program.py FILE: what restart_program does, for torchrun."""

import os
import signal
import sys
import time

path, first = sys.argv[1], os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
if os.environ["RANK"] != "1":
    time.sleep(60 if first else 0)
elif first:
    with open(path, "w") as file:
        file.write(repr(time.time()))
    os.kill(os.getpid(), signal.SIGKILL)
else:
    end = time.time()
    with open(path) as file:
        print('{"seconds": %f}' % (end - float(file.read())))
