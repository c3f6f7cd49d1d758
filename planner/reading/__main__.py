"""The process that reads papers; `planner.reading.process` starts it."""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # during the imports, which leave hardly any cycles to collect

    from planner.reading.worker import serve_read_requests

    serve_read_requests(sys.argv[1:])
