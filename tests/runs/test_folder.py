"""A run on disk: whole or not at all, and never outside its home."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.config.options import RunConfig
from core.config.parsing import with_changes
from core.events import Done, encode
from core.files import STAGING
from core.runs import folder as folder_module
from core.runs.folder import Run, free_name, is_run_name, list_runs, saved_steps
from core.runs.home import home_directory
from core.runs.lock import RunLock
from core.texts import UserError
from tests.runs.conftest import ROOT
from tests.runs.fakes import VERSION, make_run, step

NAMED = {"model.name": "clock"}


def named(name: str = "clock", **changes: object) -> RunConfig:
    return with_changes(RunConfig(), {"model.name": name, **changes})


def test_a_new_run_is_a_private_folder_with_its_settled_configuration(tmp_path: Path) -> None:
    run = Run.create(tmp_path, named(**{"concepts.0.instance.class_noun": "alarm clock"}), VERSION)
    assert run.path == tmp_path / "runs" / "clock"
    assert run.path.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in run.path.iterdir()] == ["run.toml"]
    config = run.config()
    assert config.performance.seed >= 0
    assert config.concepts[0].sample.seed >= 0
    assert config.concepts[0].name == "alarm-clock"
    assert VERSION in run.config_path.read_text()
    assert not run.started


def test_paths_become_absolute_and_hub_ids_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    changes = {
        "model.source": "model", "concepts.0.instance.directory": "pictures", "concepts.0.prior.directory": "~/class",
    }  # fmt: skip
    config = Run.create(tmp_path / "home", named(**changes), VERSION).config()
    assert config.model.source == str(tmp_path / "model")
    assert config.concepts[0].instance.directory == str(tmp_path / "pictures")
    assert config.concepts[0].prior.directory == str(Path("~/class").expanduser())
    assert Run.create(
        tmp_path / "home", named("b", **{"model.source": "owner/name"}), VERSION
    ).config().model.source == ("owner/name")


def test_a_name_in_use_is_refused_with_both_ways_and_left_alone(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    before = run.config_path.read_bytes()
    with pytest.raises(UserError) as refused:
        make_run(tmp_path)
    assert refused.value.code == "run.name-in-use"
    assert "dbtui train clock --resume" in str(refused.value)
    assert "model.name" in str(refused.value)
    assert run.config_path.read_bytes() == before
    assert [path.name for path in run.path.parent.iterdir()] == ["clock"]


def test_of_a_finished_run_no_way_on_is_told_that_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    run.journal_path.write_text(encode(Done(step=10, seconds=1)) + "\n")
    with pytest.raises(UserError, match=re.escape("train clock --resume --set intervals.epochs=…`")):
        make_run(tmp_path)


def test_a_folder_without_a_run_in_it_is_left_alone_and_no_way_to_go_on_is_told(tmp_path: Path) -> None:
    ghost = tmp_path / "runs" / "clock" / "class"
    ghost.mkdir(parents=True)
    other = make_run(tmp_path, "cat")
    for change in (lambda: make_run(tmp_path), lambda: other.rename("clock", VERSION)):
        with pytest.raises(UserError) as refused:
            change()
        assert refused.value.code == "run.no-run" and "--resume" not in str(refused.value)
        assert str(ghost.parent) in str(refused.value) and ghost.is_dir()


def test_a_run_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        Run.create(tmp_path, RunConfig(), VERSION)
    assert refused.value.code == "run.no-name"


BAD_NAMES = ["../x", "..", ".", "", "a/b", "/etc", "a\0b", "~", "~root", "-rf", "a\n", "\n", ".hidden",
             f"{STAGING}a-0", "a" * 65, "ü", "a b", "a\\b", "$HOME", "a\u202eb"]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_could_lead_anywhere_are_refused(tmp_path: Path, name: str) -> None:
    for attempt in (
        lambda: Run(tmp_path, name),
        lambda: Run.open(tmp_path, name),
        lambda: Run.create(
            tmp_path, RunConfig.model_construct(model=RunConfig().model.model_copy(update={"name": name})), "v"
        ),
    ):
        with pytest.raises(UserError) as refused:
            attempt()
        assert refused.value.code in ("run.bad-name", "run.no-name")
    assert list(tmp_path.iterdir()) == []


@given(st.one_of(st.text(max_size=70), st.from_regex(r"[A-Za-z0-9._\-/~\0\n ]{0,70}", fullmatch=True)))
@example("../../etc/passwd")
@example("con\0fig")
@settings(max_examples=200, deadline=None)
def test_any_name_is_either_a_folder_of_the_home_or_refused(name: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        try:
            run = make_named(Path(home), name)
        except UserError:
            assert not (Path(home) / "runs").exists() or list((Path(home) / "runs").iterdir()) == []
            return
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name)
        assert run.path.resolve().parent == (Path(home) / "runs").resolve()
        assert Run.open(Path(home), name) == run
        assert list_runs(Path(home)) == [run]


def make_named(home: Path, name: str) -> Run:
    model = RunConfig().model.model_copy(update={"name": name})
    return Run.create(home, RunConfig().model_copy(update={"model": model}), VERSION)


def test_a_run_that_is_not_there_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    make_run(tmp_path, "clock")
    with pytest.raises(UserError, match="Did you mean clock") as refused:
        Run.open(tmp_path, "clok")
    assert refused.value.code == "run.unknown"
    assert list_runs(tmp_path / "nowhere") == []


def test_a_link_that_leads_out_of_the_home_is_no_run(tmp_path: Path) -> None:
    outside = make_run(tmp_path / "elsewhere", "precious")
    make_run(tmp_path / "home")
    (tmp_path / "home" / "runs" / "link").symlink_to(outside.path)
    assert [run.name for run in list_runs(tmp_path / "home")] == ["clock"]
    with pytest.raises(UserError):
        Run.open(tmp_path / "home", "link")


def test_a_home_behind_a_link_is_a_home(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    make_run(tmp_path / "home")
    assert Run.open(tmp_path / "home", "clock").config_path.exists()


def test_half_made_runs_are_not_listed_and_swept_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folder_module, "write_atomic", die)
        with pytest.raises(KeyboardInterrupt):
            make_run(tmp_path)
    assert list((tmp_path / "runs").iterdir()) == []
    (tmp_path / "runs" / f"{STAGING}dead-0a").mkdir()
    (tmp_path / "runs" / "not-a-run").mkdir()
    make_run(tmp_path)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["clock", "not-a-run"]
    assert [run.name for run in list_runs(tmp_path)] == ["clock"]


def test_a_home_that_is_a_file_is_refused_and_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    with pytest.raises(UserError) as refused:
        make_run(tmp_path / "home")
    assert refused.value.code == "disk.missing"
    with pytest.raises(UserError):
        list_runs(tmp_path / "home")


def test_of_many_who_make_one_run_one_succeeds(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from core.texts import UserError; from tests.runs.fakes import make_run\n"
        "try: make_run(pathlib.Path(sys.argv[1])); print('made')\n"
        "except UserError as error: print(error.code)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    makers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sorted(maker.communicate()[0].strip() for maker in makers) == ["made", "run.name-in-use", "run.name-in-use"]


def test_deleting_removes_everything_and_follows_no_link(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a").touch()
    (run.path / "link").symlink_to(tmp_path / "precious")
    run.delete()
    assert list((tmp_path / "runs").iterdir()) == []
    assert (tmp_path / "precious" / "a").exists()


def test_a_run_in_training_is_not_deleted(run: Run) -> None:
    with RunLock(run.lock_path):
        with pytest.raises(UserError) as refused:
            run.delete()
        assert refused.value.code == "run.locked"
        assert str(os.getpid()) in str(refused.value)
    assert run.config_path.exists()


def test_a_run_is_extended_and_that_is_written_down(run: Run) -> None:
    seed = run.config().performance.seed
    run.extend({"intervals.epochs": 200, "concepts.0.sample.prompt": "a clock"}, VERSION)
    assert run.config().intervals.epochs == 200
    assert run.config().concepts[0].sample.prompt == "a clock"
    assert run.config().performance.seed == seed


@pytest.mark.parametrize("path", ["performance.seed", "model.source", "batch.size", "learning_rate.rate", "model.name"])
def test_what_a_run_keeps_for_life_is_refused(run: Run, path: str) -> None:
    before = run.config_path.read_bytes()
    with pytest.raises(UserError) as refused:
        run.extend({"intervals.epochs": 200, path: 2}, VERSION)
    assert refused.value.code == "run.fixed-option"
    assert path in str(refused.value)
    assert run.config_path.read_bytes() == before


def test_how_an_update_is_computed_may_change_while_it_holds_as_many_pictures(run: Run) -> None:
    run.extend({"performance.gradient_checkpointing": True}, VERSION)
    assert run.config().performance.gradient_checkpointing
    with pytest.raises(UserError, match="cannot change"):
        run.extend({"batch.size": 4}, VERSION)
    run.extend({"batch.size": 4, "batch.accumulation": 2}, VERSION, begins_anew=True)
    run.extend({"batch.size": 1, "batch.accumulation": 8}, VERSION)
    assert (run.config().batch.size, run.config().batch.accumulation) == (1, 8)


def test_a_run_without_a_saved_state_may_begin_anew_with_any_change(run: Run) -> None:
    change = {"learning_rate.rate": 5e-7}
    (run.checkpoints / "step-000100").mkdir(parents=True)
    with pytest.raises(UserError, match="cannot change"):
        run.extend(change, VERSION, begins_anew=True)
    (run.checkpoints / "step-000100").rename(run.checkpoints / ".staging-step-000100-ab")
    run.extend(change, VERSION, begins_anew=True)
    assert run.config().rate == 5e-7


def test_a_copy_is_a_new_run_under_the_next_free_name_with_the_class_pictures(run: Run) -> None:
    (run.class_pictures / "dog").mkdir(parents=True)
    (run.class_pictures / "dog" / "1.png").write_bytes(b"picture")
    run.journal_path.write_text("{}")
    first = run.copy({"learning_rate.rate": 5e-7}, VERSION)
    second = first.copy({}, VERSION)
    assert (first.name, second.name) == (f"{run.name}-2", f"{run.name}-3")
    assert first.config().rate == second.config().rate == 5e-7 and run.config().rate != 5e-7
    assert (second.class_pictures / "dog" / "1.png").read_bytes() == b"picture"
    assert not first.started and first.config().model.name == first.name


def test_a_run_keeps_the_preset_it_was_made_from_whatever_becomes_of_it(tmp_path: Path) -> None:
    run = Run.create(tmp_path, named(), VERSION, preset="face")
    run.extend({"intervals.epochs": 200}, VERSION)
    assert run.preset() == run.copy({}, VERSION).preset() == "face"
    assert run.rename("other", VERSION).preset() == "face"


def test_a_copy_of_a_very_long_name_has_a_name_that_is_allowed(run: Run) -> None:
    assert is_run_name(free_name(run.home, "x" * 64))
    assert free_name(run.home, "dog-2") == "dog-2"


def test_a_name_that_cannot_be_written_down_leaves_the_run_its_old_one(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(folder_module, "write_atomic", full)
    with pytest.raises(UserError) as refused:
        run.rename("cat", VERSION)
    assert refused.value.code == "disk.full"
    assert [found.name for found in list_runs(run.home)] == [run.name] == [run.config().model.name]
    monkeypatch.undo()
    assert run.rename("cat", VERSION).config().model.name == "cat"


def test_saved_steps_are_those_of_whole_states(run: Run) -> None:
    assert saved_steps(run.path) == []
    for name in ("step-000200", "step-000100", ".staging-step-000300-ab", "step-1"):
        (run.checkpoints / name).mkdir(parents=True)
    assert saved_steps(run.path) == [100, 200]


def test_a_run_in_training_is_not_extended(run: Run) -> None:
    with RunLock(run.lock_path), pytest.raises(UserError, match="hands of another"):
        run.extend({"intervals.epochs": 200}, VERSION)


def test_a_run_with_a_journal_was_started(run: Run) -> None:
    run.journal_path.write_text(str(step(1)))
    assert run.started


def test_the_home_is_the_option_then_the_variable_then_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("DBTUI_HOME", raising=False)
    assert home_directory(None) == tmp_path / "dbtui"
    monkeypatch.setenv("DBTUI_HOME", "~/elsewhere")
    assert home_directory(None) == tmp_path / "elsewhere"
    monkeypatch.chdir(tmp_path)
    assert home_directory(Path("here")) == tmp_path / "here"
    monkeypatch.setenv("DBTUI_HOME", "~nobody-of-that-name/x")
    with pytest.raises(UserError) as refused:
        home_directory(None)
    assert refused.value.code == "home.unknown"
