"""A stand-in of the Hugging Face Hub: what its client asks of one, from a dictionary of files."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

COMMIT = "c5" * 20


class StandIn:
    """Repositories by name, each with the contents of its files; served while it is open.

    `gated` repositories answer 401 for their files; of files in `cut`, half is sent once, and then
    nothing until they are taken out; those in `damaged` come with a byte changed.
    `tokens` are what requests for files brought to be let in.
    """

    def __init__(self, repositories):
        self.repositories = repositories
        self.gated, self.cut, self.damaged, self.asked = set(), set(), set(), []
        self.tokens = {}
        self._begun = set()
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def info(self, repo):
        """What the API says of a repository."""
        files = self.repositories[repo]
        return {
            "id": repo,
            "sha": COMMIT,
            "gated": "manual" if repo in self.gated else False,
            "siblings": [
                {
                    "rfilename": name,
                    "size": len(content),
                    "blobId": hashlib.sha1(content).hexdigest(),
                    **({"lfs": _pointer(content)} if name.endswith(".safetensors") else {}),
                }
                for name, content in files.items()
            ],
        }

    def starts(self, name):
        """From which byte each request for a file began."""
        return [start for asked, start in self.asked if asked == name]

    def sends(self, name, start, content):
        """What of a file's content is sent; None where the request is refused."""
        self.asked.append((name, start))
        if name in self.damaged:
            return bytes([content[0] ^ 1]) + content[1:]
        if name not in self.cut:
            return content[start:]
        if name in self._begun:
            return None
        self._begun.add(name)
        return content[: len(content) // 2]


def _pointer(content):
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
        "pointerSize": 130,
    }


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        path = urlsplit(self.path).path
        if path.startswith("/api/models/"):
            repo, _, _ = path.removeprefix("/api/models/").partition("/revision/")
            if repo not in self.hub.repositories:
                return self._answer(401, b"", {"X-Error-Code": "RepoNotFound"})
            return self._answer(200, json.dumps(self.hub.info(repo)).encode(), {})
        repo, _, rest = path[1:].partition("/resolve/")
        name = rest.partition("/")[2]
        if repo not in self.hub.repositories:  # the client asks for more than files
            return self._answer(404, b"", {})
        if repo in self.hub.gated:
            return self._answer(401, b"", {"X-Error-Code": "GatedRepo"})
        self.hub.tokens[name] = self.headers.get("Authorization")
        content = self.hub.repositories[repo][name]
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        sent = self.hub.sends(name, start, content)
        if sent is None:
            return self._answer(503, b"", {})
        span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        told = span if asked else {}
        return self._answer(206 if asked else 200, sent, told, len(content) - start)

    def _answer(self, status, body, headers, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
