"""Hub ids are downloaded by a child process, pinned to a commit, and only what is needed of them."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from core.families import FAMILIES, hub
from core.families.describe import describe
from core.texts import UserError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MOVED = "f" * 40
"""Where the branch stands from the second question on."""


@pytest.mark.parametrize(
    "source, is_id",
    [
        ("runwayml/stable-diffusion-v1-5", True),
        ("owner/name.v2", True),
        ("name", False),
        ("a/b/c", False),
        ("./models/x", False),
        ("/models", False),
        ("models/x.safetensors", False),
        ("owner/..", False),
        ("~/x", False),
        ("owner/na me", False),
    ],
)
def test_what_can_be_a_hub_id(source: str, is_id: bool):
    assert hub.is_hub_id(source) == is_id


@pytest.fixture
def served(tiny_sd1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A hub on this machine with the tiny model as tiny/sd1; the paths that were asked for."""
    folder = Path(shutil.copytree(tiny_sd1, tmp_path / "served"))
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"x")
    (folder / "tiny.ckpt").write_bytes(b"x")
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    asked: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            first = not any(before.startswith("/api/") for before in asked)
            asked.append(path)
            if path.startswith("/api/models/tiny/sd1"):
                siblings = [{"rfilename": name, "size": file.stat().st_size} for name, file in files.items()]
                if "/tree/" in path:
                    entries = [{"type": "file", "path": s["rfilename"], "size": s["size"], "oid": ""} for s in siblings]
                    return self._send(json.dumps(entries).encode())
                info = {
                    "id": "tiny/sd1",
                    "sha": COMMIT if first or COMMIT in path else MOVED,
                    "siblings": siblings,
                    "private": False,
                }
                return self._send(json.dumps(info).encode())
            name = path.removeprefix(f"/tiny/sd1/resolve/{COMMIT}/")
            if name in files:
                return self._send(files[name].read_bytes())
            self.send_error(404)

        def _send(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{hashlib.sha1(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    yield asked
    server.shutdown()
    server.server_close()


def test_a_download_is_pinned_and_takes_only_what_is_needed(served: list[str], tmp_path: Path):
    cache = tmp_path / "cache"
    with pytest.raises(UserError) as raised:
        describe("tiny/sd1", cache_dir=cache)
    assert raised.value.code == "source.not-downloaded"

    path = hub.download("tiny/sd1", cache_dir=cache)
    assert path.name == COMMIT
    assert not [asked for asked in served if asked.endswith((".bin", ".ckpt"))]

    served.clear()
    found = describe("tiny/sd1", COMMIT, cache_dir=cache)
    assert (found.commit, found.path) == (COMMIT, path)
    assert found.parameters["unet"] == 792_964
    assert served == []


def test_what_was_downloaded_is_found_by_its_name_alone_without_the_hub(served: list[str], tmp_path: Path):
    path = hub.download("tiny/sd1", cache_dir=tmp_path)
    served.clear()
    assert describe("tiny/sd1", cache_dir=tmp_path).path == path
    assert served == []


def test_a_hub_out_of_reach_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with pytest.raises(UserError, match="could not be downloaded") as raised:
        hub.download("tiny/sd1", cache_dir=tmp_path)
    assert raised.value.code == "source.unreachable"
    assert "Errno" not in str(raised.value) and "http://127.0.0.1:9, cannot be reached" in str(raised.value)
    for way in ("HTTPS_PROXY", "HF_ENDPOINT", "docs/guide/air-gapped.md"):
        assert way in raised.value.message.advice
    assert "\n" not in str(raised.value)


def test_a_repository_that_is_not_there_is_a_sentence(served: list[str], tmp_path: Path):
    with pytest.raises(UserError, match="tiny/none could not be downloaded"):
        hub.download("tiny/none", cache_dir=tmp_path)


def test_giving_up_ends_the_child(tmp_path: Path, served: list[str], monkeypatch: pytest.MonkeyPatch):
    import socket

    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Stop):
            hub.download("tiny/sd1", cache_dir=tmp_path, while_waiting=stop)
    assert psutil.Process().children() == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_s_own_parts_are_wanted_and_no_others(family: str, tiny_of: Callable[[str], Path], tmp_path: Path):
    folder = Path(shutil.copytree(tiny_of(family), tmp_path / "copy"))
    assert hub._has_weights(folder, "")
    wanted = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert {name for name in wanted if not any(fnmatch(name, pattern) for pattern in hub.patterns())} == set()
    last = FAMILIES[family].text_encoders[-1]
    (folder / last / "model.safetensors").unlink()
    assert not hub._has_weights(folder, "")
