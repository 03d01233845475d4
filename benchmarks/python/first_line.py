"""benchmarks/python/first_line.py: a script whose first line says when it ran, in seconds since 1970."""

import time

print('{"finished_at": %.6f}' % time.time())
