from __future__ import annotations

from pathlib import Path

from PIL import Image

from core.config.findings import Level
from core.data.scan import Picture, Scan
from core.planning.checks import check
from core.planning.facts import Facts
from core.planning.plan import make_plan
from core.planning.survey import survey
from core.texts import UserError
from tests.planning.example import codes, config, facts, found, mended, scan_of, source

PROMPT = "concepts.0.instance.prompt"


def test_random_crops_cannot_be_cached_and_both_fixes_mend_it() -> None:
    finding = found("crop.cached", {"images.crop": "random"})
    assert finding.level is Level.ERROR
    assert [dict(fix.changes) for fix in finding.fixes] == [
        {"images.crop": "centre"}, {"performance.cache_latents": False},
    ]  # fmt: skip
    assert all("crop.cached" not in left for left in mended(finding, {"images.crop": "random"}))


def test_captions_of_left_and_right_are_wrong_in_mirrored_pictures() -> None:
    changes = {"images.horizontal_flip": True, PROMPT: "{identifier} {class}, its Left ear folded"}
    assert found("flip.sides", changes).level is Level.WARNING
    assert "flip.sides" not in codes({PROMPT: changes[PROMPT]})
    assert "flip.sides" not in codes({"images.horizontal_flip": True, PROMPT: "{identifier} {class}, brightly lit"})


def test_the_sides_are_looked_for_in_each_picture_s_own_words() -> None:
    words = {Path("/pictures/dog/00.png"): "looking right", Path("/pictures/dog/01.png"): "asleep"}
    changes = {"images.horizontal_flip": True, PROMPT: "{identifier} {class} [filewords]"}
    assert "1 caption speaks" in found("flip.sides", changes, facts(words=words)).message.text


def test_shuffling_needs_three_tags() -> None:
    few = {"images.shuffle_tags": True, PROMPT: "{identifier} {class}, grass"}
    assert found("tags.few", few).level is Level.WARNING
    assert "tags.few" not in codes(few | {PROMPT: "{identifier} {class}, grass, sun"})


def test_much_caption_dropout_is_warned_about() -> None:
    assert found("dropout.much", {"images.caption_dropout": 0.5}).level is Level.WARNING
    assert "dropout.much" not in codes({"images.caption_dropout": 0.1})


def pictures(*names: str, masks: tuple[str, ...] = ()) -> Facts:
    folder = Path("/pictures/dog")
    found = tuple(
        Picture(folder / name, 1024, 1024, mask_file=folder / "mask.png" if name in masks else None) for name in names
    )
    return facts(scans=(Scan(folder, found, ()),))


def test_masks_that_are_not_there_are_told() -> None:
    changes = {"images.mask": True}
    assert found("mask.none", changes, pictures("a.jpg", "b.jpg", "c.jpg")).level is Level.WARNING
    some = found("mask.some", changes, pictures("a.jpg", "b.jpg", "c.jpg", masks=("a.jpg",)))
    assert some.level is Level.HINT and "b.jpg, c.jpg" in some.message.text
    assert not codes(changes, pictures("a.png", "b.png", "c.png")) & {"mask.none", "mask.some"}


def test_a_mask_of_another_size_is_an_error_before_the_run_starts(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.new("RGB", (600, 600)).save(folder / "a.png")
    Image.new("L", (60, 60)).save(folder / "a-mask.png")
    wanted = config({"concepts.0.instance.directory": str(folder), "images.mask": True})
    findings = check(wanted, survey(wanted, tmp_path, decode=True))
    (wrong,) = [finding for finding in findings if finding.code == "picture.mask-size"]
    assert wrong.level is Level.ERROR and "a-mask.png" in wrong.message.text


def test_buckets_of_square_pictures_are_remarked_on() -> None:
    assert found("buckets.square", {"images.buckets": True}).level is Level.HINT


def test_pictures_that_a_bucket_would_enlarge_are_named() -> None:
    wide = Picture(Path("/pictures/dog/wide.png"), 700, 420)
    world = facts(scans=(Scan(Path("/pictures/dog"), (wide,) * 3, ()),))
    assert found("pictures.small", {}, world)
    assert "pictures.small" not in codes({"images.buckets": True}, world)
    tiny = Picture(Path("/pictures/dog/tiny.png"), 600, 360)
    world = facts(scans=(Scan(Path("/pictures/dog"), (tiny,) * 3, ()),))
    assert "tiny.png (600 × 360)" in found("pictures.small", {"images.buckets": True}, world).message.text


def disk(changes: dict[str, object], world: Facts | None = None) -> int:
    made = make_plan(config(changes), world or facts())
    assert made is not None and made.disk_bytes is not None
    return made.disk_bytes


def test_the_disk_counts_mirrored_latents_twice_and_none_where_nothing_is_cached() -> None:
    latents = (12 + 24) * 64 * 64 * 4 * 2 * 4
    assert disk({"images.horizontal_flip": True}) - disk({}) == latents
    assert disk({}) - disk({"performance.cache_latents": False}) == latents


def test_class_pictures_are_cached_at_every_size_of_their_concept() -> None:
    shapes = tuple(Picture(Path(f"/pictures/dog/{n}.png"), *size) for n, size in
                   enumerate([(1536, 1024), (1536, 1024), (1024, 1536), (1024, 1024)]))  # fmt: skip
    world = facts(scans=(Scan(Path("/pictures/dog"), shapes, ()),), prior_scans=(scan_of(8),))
    uncached = disk({"images.buckets": True, "performance.cache_latents": False}, world)
    pixels = 3 * 640 * 384 + 512 * 512 + 8 * (2 * 640 * 384 + 512 * 512)
    assert disk({"images.buckets": True}, world) - uncached == pixels // 64 * 4 * 2 * 4


def test_a_file_of_prompts_is_read_and_counted(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("a {identifier}\na {class}\nb {identifier}\n")
    changes = {"concepts.0.sample.template_file": str(tmp_path / "prompts.txt"), "intervals.sample_every_epochs": 10}
    wanted = config(changes)
    seen = survey(wanted, tmp_path, decode=False).preview_prompts
    assert seen == (("a ohwx", "a dog", "b ohwx"),)
    made = make_plan(wanted, facts(preview_prompts=seen))
    assert made is not None and made.sample_pictures == 30


def test_a_file_of_prompts_that_cannot_be_read_is_an_error_and_one_beside_a_prompt_a_warning(tmp_path: Path) -> None:
    field = "concepts.0.sample.template_file"
    world = facts(
        preview_prompts=survey(config({field: str(tmp_path / "gone")}), tmp_path, decode=False).preview_prompts
    )
    finding = found("template.not-a-file", {field: str(tmp_path / "gone")}, world)
    assert finding.level is Level.ERROR and finding.field == field
    both = {field: "/prompts.txt", "concepts.0.sample.prompt": "a {identifier}"}
    world = facts(preview_prompts=(("a ohwx",),))
    assert found("sample.prompt-replaced", both, world).level is Level.WARNING
    assert all(
        "sample.prompt-replaced" not in left for left in mended(found("sample.prompt-replaced", both, world), both)
    )


def test_a_vae_that_cannot_be_used_is_an_error_with_the_source_s_own_as_its_fix() -> None:
    world = facts(vae_problem=UserError("vae.missing", "The VAE {path} cannot be found.", path="/vae"))
    finding = found("vae.missing", {"model.vae": "/vae"}, world)
    assert (finding.level, finding.field) == (Level.ERROR, "model.vae")
    assert [dict(fix.changes) for fix in finding.fixes] == [{"model.vae": ""}]


def test_clip_skip_is_not_for_families_that_name_their_layer_nor_deeper_than_the_encoder() -> None:
    finding = found("clip-skip.fixed", {"model.clip_skip": 2}, facts(source=source("sdxl")))
    assert finding.level is Level.ERROR
    assert found("clip-skip.layers", {"model.clip_skip": 13}).level is Level.ERROR
    assert not codes({"model.clip_skip": 2}) & {"clip-skip.fixed", "clip-skip.layers"}
