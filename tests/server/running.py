"""A server of this process, and one of its own."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import uvicorn

from speechzoo.server.limits import Limits
from speechzoo.server.running import open_service, server_config


@contextlib.contextmanager
def running(models, limits=Limits(), keys=(), origins=(), **options):
    """(address, service) of models: name -> model."""
    service = open_service(models, limits=limits, **options)
    server = uvicorn.Server(server_config(service, port=0, keys=keys, origins=origins))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    try:
        yield f"127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", service
    finally:
        server.should_exit = True
        thread.join()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@contextlib.contextmanager
def command(*arguments):
    """(address, process) of `speechzoo serve`."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "speechzoo", "serve", *arguments, "--port", str(port)],
                               stderr=subprocess.PIPE, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
    try:
        for _ in range(2400):  # two minutes, on a busy machine
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        yield f"127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
