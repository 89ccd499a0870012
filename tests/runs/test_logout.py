"""Where logging out ends what runs in the background, and where not."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.runs.logout import ended_at_logout

SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"
MANAGER = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-terminal.scope\n"
SERVICE = "0::/system.slice/cron.service\n"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    return tmp_path


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def code(root: Path, cgroup: str, user: str = "ann") -> str | None:
    said = ended_at_logout(root, user, cgroup)
    return said.code if said else None


def test_a_machine_without_systemd_has_no_say(tmp_path: Path) -> None:
    write(tmp_path, "etc/systemd/logind.conf", "[Login]\nKillUserProcesses=yes\n")
    assert code(tmp_path, SESSION) is None


def test_a_session_is_ended_where_the_configuration_says_so(machine: Path) -> None:
    assert code(machine, SESSION) is None
    write(machine, "etc/systemd/logind.conf", "[Login]\n#KillUserProcesses=no\n KillUserProcesses = yes\n")
    assert code(machine, SESSION) == "logout.session"
    assert code(machine, SERVICE) is None
    assert code(machine, SESSION, "root") is None  # excluded unless somebody says otherwise


def test_what_the_shipped_file_has_in_a_comment_is_the_default(machine: Path) -> None:
    write(machine, "usr/lib/systemd/logind.conf", "[Login]\n#KillUserProcesses=yes\n#KillExcludeUsers=root\n")
    assert code(machine, SESSION) == "logout.session"


def test_drop_ins_count_after_the_file_and_etc_before_usr(machine: Path) -> None:
    write(machine, "etc/systemd/logind.conf", "[Login]\nKillUserProcesses=no\n")
    write(machine, "usr/lib/systemd/logind.conf.d/50-kill.conf", "[Login]\nKillUserProcesses=yes\n")
    assert code(machine, SESSION) == "logout.session"
    write(machine, "etc/systemd/logind.conf.d/50-kill.conf", "[Login]\n")
    assert code(machine, SESSION) is None


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("KillExcludeUsers=root ann", None), ("KillOnlyUsers=bob", None), ("KillOnlyUsers=bob ann", "logout.session")],
)
def test_users_may_be_named(machine: Path, setting: str, expected: str | None) -> None:
    write(machine, "etc/systemd/logind.conf", f"[Login]\nKillUserProcesses=yes\n{setting}\n")
    assert code(machine, SESSION) == expected


def test_under_the_users_own_manager_only_lingering_helps(machine: Path) -> None:
    assert code(machine, MANAGER) == "logout.manager"
    write(machine, "var/lib/systemd/linger/ann", "")
    assert code(machine, MANAGER) is None


def test_lingering_does_not_save_a_session(machine: Path) -> None:
    write(machine, "var/lib/systemd/linger/ann", "")
    write(machine, "etc/systemd/logind.conf", "[Login]\nKillUserProcesses=yes\n")
    assert code(machine, SESSION) == "logout.session"
