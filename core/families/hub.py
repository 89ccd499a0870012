"""Sources on the Hugging Face hub: found in the local cache, or downloaded by a process of their own.

A download is pinned to a commit; everything after it uses the local folder, whose name is that commit. Only what
training needs is taken: configs, the tokenizer and safetensors weights.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from core.families.folder import INDEX, WEIGHT_NAMES
from core.families.stored import read_json
from core.families.tokenizer_files import TOKENIZER_FILES
from core.texts import UserError, say

_HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_FILE_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".bin", ".toml", ".json")


def is_hub_id(source: str) -> bool:
    """Whether a source can be a hub id: `owner/name`, and not the name of a file."""
    return _HUB_ID.fullmatch(source) is not None and not source.lower().endswith(_FILE_SUFFIXES)


def patterns(variant: str = "") -> list[str]:
    """The files of a repository that training needs."""
    middle = f".{variant}" if variant else ""
    weights = [
        pattern
        for component, (stem, _) in WEIGHT_NAMES.items()
        for pattern in (
            f"{component}/{stem}{middle}.safetensors",
            f"{component}/{stem}.safetensors.index{middle}.json",
            f"{component}/{stem}{middle}-*-of-*.safetensors",
        )
    ]
    configs = [f"{component}/config.json" for component in WEIGHT_NAMES]
    tokenizer = [f"{folder}/{name}" for folder in ("tokenizer", "tokenizer_2") for name in TOKENIZER_FILES]
    return [INDEX, "scheduler/scheduler_config.json", *configs, *tokenizer, *weights]


def find(
    repo: str, revision: str = "", variant: str = "", cache_dir: Path | None = None, near: Path | None = None
) -> Path:
    """The local folder of a hub id that was downloaded; `UserError` `source.not-downloaded` where it was not. `near`:
    what is here and may have been meant.
    """
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, INDEX, cache_dir=cache_dir, revision=revision or None)
    if isinstance(found, str) and _has_weights(Path(found).parent, variant):
        return Path(found).parent
    if near is not None:
        raise UserError(
            "source.not-downloaded",
            "{repo} is neither a file or folder here nor downloaded from the hub yet. Did you mean {near}?",
            mend="If you mean the hub, it is downloaded when the run starts.",
            repo=repo, near=near,
        )  # fmt: skip
    raise UserError(
        "source.not-downloaded",
        "{repo} is neither a file or folder here nor downloaded from the hub yet.",
        mend="If you mean the hub, it is downloaded when the run starts. If you mean a folder, check its path.",
        repo=repo,
    )  # fmt: skip


def download(
    repo: str,
    revision: str = "",
    variant: str = "",
    cache_dir: Path | None = None,
    *,
    while_waiting: Callable[[], None] = lambda: None,
) -> Path:
    """Download a hub id and return its local folder `…/snapshots/<commit>`.

    A child process does it, so that nothing of the network stays in this one. `while_waiting` is called about once
    a second and may raise to give up: the child is ended, what is downloaded stays for the next time. `UserError`
    (`source.download`, `source.unreachable`) says why it failed.
    """
    request = {
        "repo": repo,
        "revision": revision,
        "variant": variant,
        "cache_dir": str(cache_dir) if cache_dir else None,
    }
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH", ""))))
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "core.families.fetch", json.dumps(request)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=None,
        env=os.environ | {"PYTHONPATH": path},
    )
    try:
        while True:
            try:
                output, _ = child.communicate(timeout=1)
                break
            except subprocess.TimeoutExpired:
                while_waiting()
    finally:
        if child.poll() is None:
            child.terminate()
            child.wait()
    lines = output.decode("utf-8", "replace").strip().splitlines()
    answer = json.loads(lines[-1]) if lines and child.returncode == 0 else {}
    if "path" in answer:
        return Path(answer["path"])
    if answer.get("unreachable"):
        raise UserError(
            "source.unreachable",
            "{repo} could not be downloaded: the hub, {hub}, cannot be reached from this computer.",
            mend="Check the network. Behind a proxy set the environment variable HTTPS_PROXY to its address; where the "
            "hub is blocked, HF_ENDPOINT to the address of a mirror; then start dbtui anew. Or download the model "
            "elsewhere and give its folder as the source (docs/guide/air-gapped.md).",
            repo=repo, hub=os.environ.get("HF_ENDPOINT") or "huggingface.co",
        )  # fmt: skip
    raise UserError(
        "source.download", "{repo} could not be downloaded from the hub: {reason}.",
        mend="Check the name and your connection. A model that asks for your consent needs `hf auth login` first. "
        "Or download it elsewhere and give its folder as the source.",
        repo=repo, reason=answer.get("reason") or say(
            "source.download-ended", "the download process ended with code {code}", code=child.returncode),
    )  # fmt: skip


def _has_weights(folder: Path, variant: str) -> bool:
    middle = f".{variant}" if variant else ""
    named = read_json(folder / INDEX)
    return all(
        (folder / component / f"{stem}{middle}.safetensors").exists()
        or (folder / component / f"{stem}.safetensors.index{middle}.json").exists()
        for component, (stem, _) in WEIGHT_NAMES.items()
        if component in named
    )
