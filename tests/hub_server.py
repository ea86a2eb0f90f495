"""A server in the place of the Hugging Face hub: models to fetch, and models that are written to."""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

from tests.published.tiny_whisper import COMMITTED

REPOSITORY = Path(__file__).parents[1]
REVISION = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_" + "secret" * 5
LARGE = 25 << 20  # the client keeps what it has got in pieces of 10 MiB
FILES = {"model.bin": COMMITTED.read_bytes(), "README.md": b"---\nlicense: mit\n---\n# Tiny\n", "config.json": b"{}",
         "vocabulary.json": COMMITTED.with_name("vocabulary.json").read_bytes(),
         "pytorch_model.bin": b"not to be fetched", "run.py": b"raise SystemExit"}


class Hub(http.server.BaseHTTPRequestHandler):
    """Models of `owner` at one revision; the first answer with what is large stops behind 21 MiB.

    `written` has what was uploaded, model -> name -> bytes; `blobs` large files by SHA-256, before a commit.
    The first upload to the model `broken` ends before its commit.
    """

    models = {"name": FILES, "large": {"model.bin": FILES["model.bin"] + bytes(LARGE)}}
    requests, stopped, tokens = [], [], set()
    written, blobs, commits = {}, {}, []

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.requests.append((self.command, self.path, self.headers.get("Range")))
        self.tokens.add(self.headers.get("Authorization"))
        match = re.match(rf"/api/models/owner/(\w+)|/owner/(\w+)/resolve/{REVISION}/(.+)", self.path)
        name = match and (match[1] or match[2])
        files = (self.models | self.written).get(name)
        if files is not None and "/tree/" in self.path:
            self.answer(json.dumps([{"type": "file", "path": path, "size": len(data), "oid": git_hash(data)}
                                    for path, data in files.items()]).encode(), "application/json")
        elif files is not None and match[1]:
            self.answer(json.dumps({"id": f"owner/{name}", "sha": REVISION, "siblings": [
                {"rfilename": path} for path in [*files, "folder/more.bin"]]}).encode(), "application/json")
        elif files is not None:
            self.answer(files[match[3]], "application/octet-stream")
        else:
            self.send_response(403 if "closed" in self.path else 404)
            self.end_headers()

    def answer(self, data, kind, status=200):
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.send_response(206 if start else status)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        headers = {"Content-Type": kind, "Content-Length": str(len(data) - start), "Accept-Ranges": "bytes",
                   "ETag": f'"{git_hash(data)}"', "X-Repo-Commit": REVISION}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            stop = len(data) > LARGE and not self.stopped
            self.wfile.write(data[start:start + (21 << 20)] if stop else data[start:])
            if stop:
                self.stopped.append(self.path)
                self.close_connection = True

    def do_PUT(self):
        self.requests.append((self.command, self.path, None))
        self.blobs[self.path.rpartition("/")[2]] = self.body()
        self.answer(b"", "text/plain")

    def do_POST(self):
        body = self.body()
        self.requests.append((self.command, self.path, None))
        self.tokens.add(self.headers.get("Authorization"))
        name = re.search(r"owner/(\w+)", self.path)
        files = self.written.get(name[1], {}) if name else {}
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            model = asked["name"].rpartition("/")[2]
            if model == "closed":
                return self.answer(b"{}", "application/json", 403)
            self.written.setdefault(model, {})
            result = {"url": f"http://{self.headers['Host']}/owner/{model}"}
        elif self.path == "/api/validate-yaml":
            if "no licence" in json.loads(body)["content"]:
                errors = {"errors": [{"message": '"license" must be one of many'}], "warnings": []}
                return self.answer(json.dumps(errors).encode(), "application/json", 400)
            result = {"errors": [], "warnings": []}
        elif "/preupload/" in self.path:
            result = {"files": [self.how(file["path"], files) for file in json.loads(body)["files"]]}
        elif self.path.endswith("/info/lfs/objects/batch"):
            result = {"transfer": "basic", "objects": [self.where(file) for file in json.loads(body)["objects"]]}
        elif "/commit/" in self.path:
            self.commit(name[1], [json.loads(line) for line in body.splitlines()])
            result = {"commitUrl": f"http://{self.headers['Host']}/owner/{name[1]}/commit/{REVISION}",
                      "commitOid": REVISION}
        return self.answer(json.dumps(result).encode(), "application/json")

    def how(self, path, files):
        """How a file is to be sent, and which one is there."""
        large = path.endswith((".h5", ".tflite"))
        known = files.get(path)
        oid = None if known is None else hashlib.sha256(known).hexdigest() if large else git_hash(known)
        return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}

    def where(self, file):
        """Where a large file is to be sent; nowhere when it has come before."""
        known = {"oid": file["oid"], "size": file["size"]}
        if file["oid"] in self.blobs:
            return known
        return known | {"actions": {"upload": {"href": f"http://{self.headers['Host']}/blobs/{file['oid']}"}}}

    def commit(self, model, lines):
        self.commits.append((model, [line["value"].get("path", line["value"].get("summary")) for line in lines]))
        if model == "broken" and sum(name == "broken" for name, _ in self.commits) == 1:
            self.close_connection = True
            raise ConnectionError("a test")
        for line in lines:
            if line["key"] == "file":
                self.written[model][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "lfsFile":
                self.written[model][line["value"]["path"]] = self.blobs[line["value"]["oid"]]

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


class Server(http.server.ThreadingHTTPServer):
    """Ends connections that a test breaks without a word."""

    def handle_error(self, request, client_address):
        pass


def git_hash(data: bytes) -> str:
    """What git calls a file."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextlib.contextmanager
def serving():
    """The address of a running hub, which knows nothing of what was asked of another one before it."""
    for record in (Hub.requests, Hub.stopped, Hub.tokens, Hub.written, Hub.blobs, Hub.commits):
        record.clear()
    server = Server(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run_with(endpoint: str, home: Path, *arguments):
    """A process of its own that is told where the hub is: the end of it, in which the token never stands.

    Args:
        endpoint: Address of the hub.
        home: Folder of the hub's cache.
        arguments: What follows `python -m speechzoo`; or a program, after "-c".
    """
    environment = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_TOKEN": TOKEN,
                                "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    program = [] if arguments[0] == "-c" else ["-m", "speechzoo"]
    done = subprocess.run([sys.executable, *program, *map(str, arguments)], capture_output=True, text=True,
                          cwd=REPOSITORY, env=environment, check=False, timeout=600)
    assert TOKEN not in done.stdout + done.stderr
    return done
