"""Whether logging out would end what this process leaves running in the background.

On machines with systemd that depends on where the process lives. In the scope of a login session it is ended with the
session where `KillUserProcesses=yes`; under the user's own manager (terminals of a desktop) it is ended with the last
session unless the user lingers. logind.conf(5), loginctl(1).
"""

from __future__ import annotations

import getpass
import os
import re
from pathlib import Path

from core.texts import Message, message

_FOLDERS = ("etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd", "lib/systemd")
"""Whoever comes first counts, for files of one name."""
_SETTING = re.compile(r"\s*(#?)\s*(KillUserProcesses|KillOnlyUsers|KillExcludeUsers)\s*=\s*(.*?)\s*")
_YES = ("1", "yes", "true", "on", "y", "t")


def ended_at_logout(root: Path = Path("/"), user: str = "", cgroup: str | None = None) -> Message | None:
    """Why what runs in the background would end when `user` logs out, with the mend; `None` where it goes on.

    `root` is where the system's files lie, `cgroup` where this process does (`/proc/self/cgroup`).
    """
    if not is_systemd(root):
        return None
    user = user or _user()
    place = _cgroup(root) if cgroup is None else cgroup
    lingers = bool(user) and (root / "var/lib/systemd/linger" / user).exists()
    if re.search(r"/user@\d+\.service(/|$)", place, re.MULTILINE):
        if lingers:
            return None
        return message(
            "logout.manager", "When you log out, this machine ends what you left running: you do not linger there.",
            mend="Once: `loginctl enable-linger`. It needs no more than that.",
        )  # fmt: skip
    if re.search(r"/session-[^/]*\.scope(/|$)", place, re.MULTILINE) and _kills(root, user):
        return message(
            "logout.session", "When you log out, this machine ends what you left running: it is set up so "
            "(KillUserProcesses=yes).",
            mend="Once: `loginctl enable-linger`. Then start dbtui, or the tmux around it, with `systemd-run --user "
            "--scope` in front.",
        )  # fmt: skip
    return None


def is_systemd(root: Path = Path("/")) -> bool:
    """Whether systemd runs this machine: sd_booted(3)."""
    return (root / "run/systemd/system").is_dir()


def _kills(root: Path, user: str) -> bool:
    held = _settings(root)
    if held.get("KillUserProcesses", "").lower() not in _YES:
        return False
    if user in held.get("KillExcludeUsers", "root").split():
        return False
    only = held.get("KillOnlyUsers", "").split()
    return not only or user in only


def _settings(root: Path) -> dict[str, str]:
    """What logind.conf and its drop-ins set. What the file that comes with systemd has in a comment is its default."""
    mains = [root / folder / "logind.conf" for folder in _FOLDERS]
    main = next((path for path in mains if path.is_file()), None)
    drop_ins: dict[str, Path] = {}
    for folder in reversed(_FOLDERS):
        for path in (root / folder / "logind.conf.d").glob("*.conf"):
            drop_ins[path.name] = path
    defaults: dict[str, str] = {}
    found: dict[str, str] = {}
    for path in [*([main] if main else []), *(drop_ins[name] for name in sorted(drop_ins))]:
        for commented, name, value in _lines(path):
            if not commented:
                found[name] = value
            elif path == main:
                defaults.setdefault(name, value)
    return defaults | found


def _lines(path: Path) -> list[tuple[str, str, str]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [(match[1], match[2], match[3]) for line in lines if (match := _SETTING.fullmatch(line))]


def _cgroup(root: Path) -> str:
    try:
        return (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
