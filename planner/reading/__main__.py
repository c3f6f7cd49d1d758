"""The process that reads papers, as `planner.reading.process` starts it."""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # until all is imported, in which no cycle is worth a search

    from planner.reading.worker import serve_requests

    serve_requests(sys.argv[1:])
