"""The part of the Hugging Face Hub's HTTP interface that uploads and downloads use, in memory."""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_stub"


class Hub(ThreadingHTTPServer):
    """Keeps repositories' files by their names, contents by their hashes, and what was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories, self.contents, self.asked = {}, {}, []
        self.private = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": len(body)} | headers).items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def content(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def known(self):
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"

    def do_POST(self):
        sent = self.content()
        self.server.asked.append(("POST", self.path))
        if not self.known():
            return self.answer(401, {"error": "Invalid credentials"})
        if self.path == "/api/validate-yaml":  # the card's
            return self.answer(200, {"errors": [], "warnings": []})
        if self.path == "/api/repos/create":
            told = json.loads(sent)
            name = f"{told['organization']}/{told['name']}"
            self.server.private[name] = told.get("private", told.get("visibility") == "private")
            self.server.repositories.setdefault(name, {})
            return self.answer(200, {"url": f"{self.server.address}/{name}", "name": name, "id": name})
        if "/preupload/" in self.path:
            files = json.loads(sent)["files"]
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in files
            ]
            return self.answer(200, {"files": modes})
        if self.path.endswith("/info/lfs/objects/batch"):
            objects = json.loads(sent)["objects"]
            return self.answer(
                200,
                {
                    "transfer": "basic",
                    "objects": [
                        {
                            **one,
                            "actions": {"upload": {"href": f"{self.server.address}/lfs/{one['oid']}", "header": {}}},
                        }
                        for one in objects
                    ],
                },
            )
        if "/commit/" in self.path:
            owner, name = self.path.split("/")[3:5]
            return self.commit(f"{owner}/{name}", sent)
        return self.answer(404, {"error": self.path})

    def commit(self, name, sent):
        files = self.server.repositories[name]
        for line in sent.decode().splitlines():
            told = json.loads(line)
            if told["key"] == "file":
                files[told["value"]["path"]] = base64.b64decode(told["value"]["content"])
            elif told["key"] == "lfsFile":
                files[told["value"]["path"]] = self.server.contents[told["value"]["oid"]]
        sha = _sha(files)
        self.answer(200, {"success": True, "commitOid": sha, "commitUrl": f"{self.server.address}/{name}/commit/{sha}"})

    def do_PUT(self):
        sent = self.content()
        self.server.asked.append(("PUT", self.path))
        self.server.contents[hashlib.sha256(sent).hexdigest()] = sent
        self.answer(200)

    def do_GET(self):
        self.server.asked.append((self.command, self.path))
        parts = self.path.partition("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            return self.told(parts)
        name, rest = "/".join(parts[:2]), parts[2:]
        files = self.server.repositories.get(name)
        if files is None or rest[:1] != ["resolve"]:
            return self.answer(404, X_Error_Code="RepoNotFound")
        content = files.get("/".join(rest[2:]))
        if content is None:
            return self.answer(404, X_Error_Code="EntryNotFound")
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        return self.answer(200, content, ETag=etag, X_Repo_Commit=_sha(files), X_Linked_Size=len(content))

    do_HEAD = do_GET  # noqa: N815 - so http.server calls it

    def told(self, parts):
        name = "/".join(parts[2:4])
        files = self.server.repositories.get(name)
        if files is None or (self.server.private[name] and not self.known()):
            return self.answer(401 if files is None else 404, X_Error_Code="RepoNotFound")
        if parts[4:5] == ["revision"] and parts[5] not in ("main", _sha(files)):
            return self.answer(404, X_Error_Code="RevisionNotFound")
        return self.answer(200, {"id": name, "sha": _sha(files), "siblings": [{"rfilename": file} for file in files]})


def _sha(files):
    return hashlib.sha1(b"".join(name.encode() + content for name, content in sorted(files.items()))).hexdigest()
