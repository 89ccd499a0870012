"""The process that downloads: `python -P -m core.families.fetch '{"repo": …}'` prints one JSON line with the folder.

Started by `hub.download`; it answers `{"path": …}` or `{"reason": …}` on its standard output, and the hub library's
own progress goes to its standard error.
"""

from __future__ import annotations

import json
import sys

from huggingface_hub import HfApi, snapshot_download

from core.families.hub import patterns


def fetch(repo: str, revision: str, variant: str, cache_dir: str | None) -> str:
    """Pin the revision to its commit and download that. Errors are the hub library's own."""
    commit = HfApi().model_info(repo, revision=revision or None).sha
    return snapshot_download(repo, revision=commit, cache_dir=cache_dir, allow_patterns=patterns(variant))


def main() -> None:
    request = json.loads(sys.argv[1])
    try:
        answer = {"path": fetch(**request)}
    except Exception as error:
        # Whatever the network or the hub did, the parent says it in one sentence.
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        answer = {"reason": first.rstrip(".")}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
