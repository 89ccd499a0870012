"""The process that downloads: `python -P -m core.families.fetch '{"repo": …}'` prints one JSON line with the folder.

Started by `hub.download`; it answers `{"path": …}` or `{"reason": …, "unreachable": …}` on its standard output, and
the hub library's own progress goes to its standard error.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.constants import DEFAULT_REVISION

from core.families.hub import patterns

NO_WAY = ("ConnectError", "ConnectTimeout", "ConnectionError", "ConnectTimeoutError", "ProxyError", "ReadTimeout")
"""What the libraries for HTTP call it."""


def fetch(repo: str, revision: str, variant: str, cache_dir: str | None) -> str:
    """Pin the revision to its commit and download that; the next time it is found under its own name, without a
    network. Errors are the hub library's own.
    """
    commit = HfApi().model_info(repo, revision=revision or None).sha or ""
    folder = snapshot_download(repo, revision=commit, cache_dir=cache_dir, allow_patterns=patterns(variant))
    if revision != commit:
        name = Path(folder).parents[1] / "refs" / (revision or DEFAULT_REVISION)
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_text(commit, encoding="utf-8")
    return folder


def is_unreachable(error: BaseException | None) -> bool:
    """Whether what happened is that there was no way to the hub: the network's error stands behind the library's."""
    while error is not None:
        if isinstance(error, socket.gaierror | ConnectionError) or type(error).__name__ in NO_WAY:
            return True
        error = error.__cause__ or error.__context__
    return False


def main() -> None:
    request = json.loads(sys.argv[1])
    try:
        answer: dict[str, object] = {"path": fetch(**request)}
    except Exception as error:
        # Whatever the network or the hub did, the parent says it in one sentence.
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        answer = {"reason": first.rstrip("."), "unreachable": is_unreachable(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
