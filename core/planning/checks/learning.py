"""Rates, schedulers, prior preservation: unusual values, and options that would do nothing."""

from __future__ import annotations

from collections.abc import Iterator

from core.choices.schedulers import SCHEDULERS
from core.config.findings import Finding, Fix, Level
from core.config.options import Concept, LearningRateOptions, PriorLossOptions, PriorOptions, RunConfig
from core.config.prompts import class_prompt, has_words
from core.config.table import find_option
from core.planning.facts import Facts
from core.planning.plan import make_plan
from core.planning.rates import rates_for
from core.texts import counted, joined, message

MUCH_OFFSET_NOISE = 0.3


def rates(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A rate that breaks a model, and one that teaches it nothing."""
    suits = rates_for(config, facts.description, facts.machine)
    for field, rate in (("learning_rate.rate", config.rate),
                        ("performance.text_encoder_rate", config.performance.text_encoder_rate)):  # fmt: skip
        fixes = (Fix(message("fix.rate", "Set it to {rate:g}", rate=suits.usual), {field: suits.usual}),)
        if rate > suits.high:
            yield Finding(Level.WARNING, field, message(
                "rate.high", "A rate of {rate:g} is far too high for {what}: it breaks within some steps.",
                mend="{advice}", rate=rate, what=suits.what, advice=suits.advice), fixes)  # fmt: skip
        elif 0 < rate < suits.low:
            yield Finding(Level.WARNING, field, message(
                "rate.low", "At a rate of {rate:g} {what} learns next to nothing.", mend="{advice}",
                rate=rate, what=suits.what, advice=suits.advice), fixes)  # fmt: skip


def scheduler(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Warm-up and final rate only count where the scheduler takes them."""
    chosen, options = SCHEDULERS[config.learning_rate.scheduler], config.learning_rate
    if options.final_rate > 0 and not chosen.ends_low:
        falling = tuple(entry for entry in SCHEDULERS.values() if entry.ends_low)
        yield Finding(Level.WARNING, "learning_rate.final_rate", message(
            "rate.final-unused", "A final rate of {final:g} does nothing: the scheduler {scheduler} does not fall.",
            mend="Choose a falling scheduler, or set it to 0.", final=options.final_rate, scheduler=chosen.id),
            (Fix(message("fix.zero", "Set it to 0"), {"learning_rate.final_rate": 0.0}),
             *(_scheduler(entry.id, entry.title) for entry in falling)))  # fmt: skip
    elif options.final_rate > config.rate:
        yield Finding(Level.WARNING, "learning_rate.final_rate", message(
            "rate.final-high", "The final rate {final:g} is higher than the rate {rate:g}: the scheduler would rise.",
            mend="Set it below the rate; 0 is usual.", final=options.final_rate, rate=config.rate),
            (Fix(message("fix.zero", "Set it to 0"), {"learning_rate.final_rate": 0.0}),))  # fmt: skip
    if options.warmup_steps not in (0, "0%") and not chosen.warms_up:
        yield Finding(Level.WARNING, "learning_rate.warmup_steps", message(
            "warmup.unused", "A warm-up of {warmup} does nothing: the scheduler {scheduler} takes none.",
            mend="Choose a scheduler with warm-up, or set it to 0.", warmup=options.warmup_steps,
            scheduler=chosen.id),
            (*(_scheduler(entry.id, entry.title) for entry in SCHEDULERS.values()
               if entry.id == f"{chosen.id}_with_warmup"),
             Fix(message("fix.zero", "Set it to 0"), {"learning_rate.warmup_steps": 0})))  # fmt: skip


def shape(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Cycles and power only count where the scheduler takes them."""
    chosen, options = SCHEDULERS[config.learning_rate.scheduler], config.learning_rate
    for name, usual in (("cycles", LearningRateOptions().cycles), ("power", LearningRateOptions().power)):
        path = f"learning_rate.{name}"
        if getattr(options, name) != usual and name not in chosen.takes:
            yield Finding(Level.WARNING, path, message(
                "scheduler.option-unused", "{option}: this does nothing, because the scheduler {scheduler} does not "
                "take it.", mend="Choose one that does, or put it back.", option=find_option(path).title,
                scheduler=chosen.id),
                (*(_scheduler(entry.id, entry.title) for entry in SCHEDULERS.values() if name in entry.takes),
                 Fix(message("fix.back", "Put it back"), {path: usual})))  # fmt: skip


def text_encoder(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Its rate counts only where it trains, and a share of nearly nothing is nothing."""
    ratio, rate = config.performance.text_encoder_ratio, config.performance.text_encoder_rate
    if rate > 0 and ratio == 0 and not facts.is_brought(config, "performance.text_encoder_rate"):
        yield Finding(Level.WARNING, "performance.text_encoder_rate", message(
            "text-encoder.rate-unused", "The text encoder's rate does nothing: its ratio is 0, so it never trains.",
            mend="Set the ratio (0.7 for faces, 0.2 for styles), or the rate to 0."),
            (Fix(message("fix.zero", "Set it to 0"), {"performance.text_encoder_rate": 0.0}),))  # fmt: skip
    plan = make_plan(config, facts)
    if plan is not None and ratio > 0 and plan.text_encoder_steps == 0:
        yield Finding(Level.WARNING, "performance.text_encoder_ratio", message(
            "text-encoder.never", "The text encoder never trains: {ratio:g} of {steps} is less than one step.",
            mend="Train longer, raise the ratio, or set it to 0.", ratio=ratio, steps=counted(plan.steps, "step")),
            (Fix(message("fix.zero", "Set it to 0"), {"performance.text_encoder_ratio": 0.0}),))  # fmt: skip


def prior(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Class pictures and their weight need each other."""
    weight = config.prior_loss.weight
    asked = [concept.prior.images_per_instance for concept in config.concepts]
    if any(asked) and weight == 0:
        usual = PriorLossOptions().weight
        yield Finding(Level.WARNING, "prior_loss.weight", message(
            "prior.no-weight", "Class pictures are made and trained on, but a prior loss weight of 0 leaves them "
            "without effect.", mend="{usual} is usual; or ask for 0 class pictures.", usual=usual),
            (Fix(message("fix.weight", "Set it to {value}", value=usual), {"prior_loss.weight": usual}),
             Fix(message("fix.no-class", "No class pictures"),
                 {f"concepts.{number}.prior.images_per_instance": 0 for number in range(len(asked))})))  # fmt: skip
    elif not any(asked) and weight > 0:
        chosen = weight != PriorLossOptions().weight and not facts.is_brought(config, "prior_loss.weight")
        fix = Fix(message("fix.class", "2 class pictures for each of yours"),
                  {f"concepts.{number}.prior.images_per_instance": 2 for number in range(len(asked))})  # fmt: skip
        fixes = (fix,) if all(map(_can_have_class_pictures, config.concepts)) else ()
        if chosen:
            yield Finding(Level.WARNING, "prior_loss.weight", message(
                "prior.weight-unused", "The prior loss weight does nothing: no class pictures are asked for.",
                mend="Ask for 2 to 5 class pictures for each of yours."), fixes)  # fmt: skip
        else:
            yield Finding(Level.HINT, "concepts.0.prior.images_per_instance", message(
                "prior.off", "Prior preservation is off: the model may forget what else the class can look like.",
                mend="Good for styles. For faces and things ask for 2 to 5 class pictures for each of yours."),
                fixes)  # fmt: skip


def _can_have_class_pictures(concept: Concept) -> bool:
    """Whether asking for them brings nothing new that has to be mended: they need a class, as most captions do, and a
    prompt without the identifier.
    """
    instance = concept.instance
    shows_subject = instance.identifier.strip() and has_words(class_prompt(concept), instance.identifier)
    return not shows_subject and bool(instance.class_noun.strip() or "{class}" in instance.prompt)


def prior_options(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """Options of class pictures that are not made; what nobody has chosen is not worth a word."""
    plan = make_plan(config, facts)
    usual = PriorOptions()
    for number, concept in enumerate(config.concepts):
        place = f"concepts.{number}.prior"
        changed = [name for name in ("directory", "prompt", "negative_prompt", "guidance_scale", "steps", "batch_size")
                   if getattr(concept.prior, name) != getattr(usual, name)
                   and not facts.is_brought(config, f"{place}.{name}")]  # fmt: skip
        on_key = {f"{place}.{name}": getattr(usual, name) for name in changed}
        if changed and not concept.prior.images_per_instance:
            yield Finding(Level.WARNING, f"{place}.{changed[0]}", message(
                "class.options-unused", "{options}: this does nothing, because no class pictures are asked for.",
                mend="Ask for 2 to 5 class pictures for each of yours, or put it back.",
                options=_titles(place, changed)),
                (Fix(message("fix.class", "2 class pictures for each of yours"), {f"{place}.images_per_instance": 2}),
                 Fix(message("fix.back", "Put it back"), on_key)))  # fmt: skip
            continue
        generating = [name for name in changed if name not in ("directory", "prompt")]
        if generating and plan is not None and not plan.concepts[number].class_missing:
            yield Finding(Level.HINT, f"{place}.{generating[0]}", message(
                "class.enough", "{options}: this does nothing, because the class folder has enough pictures already.",
                options=_titles(place, generating)))  # fmt: skip


def prior_scaling(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """A scaled prior loss needs class pictures, a minimum below its weight, and a target within the run."""
    options, usual = config.prior_loss, PriorLossOptions()
    off = Fix(message("fix.not-scaled", "Do not scale it"), {"prior_loss.scaled": False})
    changed = [name for name in ("minimum", "target_epoch") if getattr(options, name) != getattr(usual, name)]
    if not options.scaled:
        if changed:
            yield Finding(Level.WARNING, f"prior_loss.{changed[0]}", message(
                "prior.not-scaled", "{options}: this does nothing, because the prior loss is not scaled.",
                mend="Scale it, or put it back.", options=_titles("prior_loss", changed)),
                (Fix(message("fix.scaled", "Scale the prior loss"), {"prior_loss.scaled": True}),
                 Fix(message("fix.back", "Put it back"),
                     {f"prior_loss.{name}": getattr(usual, name) for name in changed})))  # fmt: skip
        return
    plan = make_plan(config, facts)
    if not any(concept.prior.images_per_instance for concept in config.concepts):
        yield Finding(Level.WARNING, "prior_loss.scaled", message(
            "prior.scaled-unused", "Scaling the prior loss does nothing: no class pictures are asked for.",
            mend="Ask for 2 to 5 class pictures for each of yours, or do not scale it."), (off,))  # fmt: skip
    elif options.minimum >= options.weight:
        below = usual.minimum if usual.minimum < options.weight else 0.0
        yield Finding(Level.WARNING, "prior_loss.minimum", message(
            "prior.minimum-high", "The prior loss does not fall: its minimum {minimum:g} is not below its weight "
            "{weight:g}.", mend="Set it below.", minimum=options.minimum, weight=options.weight),
            (*((Fix(message("fix.weight", "Set it to {value}", value=below), {"prior_loss.minimum": below}),)
               if options.weight > 0 else ()), off))  # fmt: skip
    elif plan is not None and plan.epochs < options.target_epoch:
        yield Finding(Level.HINT, "prior_loss.target_epoch", message(
            "prior.target-late", "The prior loss does not reach its minimum: the run has {epochs}, its target is epoch "
            "{target}.", epochs=counted(plan.epochs, "epoch"), target=options.target_epoch),
            (Fix(message("fix.target", "Set it to {value}", value=plan.epochs),
                 {"prior_loss.target_epoch": plan.epochs}),))  # fmt: skip


def offset_noise(config: RunConfig, facts: Facts) -> Iterator[Finding]:
    """More than a trace of offset noise ruins colours."""
    if config.performance.offset_noise > MUCH_OFFSET_NOISE:
        yield Finding(Level.WARNING, "performance.offset_noise", message(
            "offset-noise.high", "An offset noise of {value:g} is very much: pictures come out washed or black.",
            mend="0.05 to 0.1 is usual.", value=config.performance.offset_noise),
            (Fix(message("fix.offset", "Set it to 0.1"), {"performance.offset_noise": 0.1}),))  # fmt: skip


CHECKS = (rates, scheduler, shape, text_encoder, prior, prior_options, prior_scaling, offset_noise)


def _scheduler(chosen: str, title: str) -> Fix:
    return Fix(message("fix.scheduler", "Use {title}", title=title), {"learning_rate.scheduler": chosen})


def _titles(place: str, names: list[str]) -> str:
    return joined(find_option(f"{place}.{name}").title for name in names)
