"""The training loop, as a generator of events: `for event in Trainer(…).run(): …`.

One step reads like the paper: take the batch, noise the latents, predict, loss = instance + weight · prior, update.
Everything random follows from (seed, step, slot), so a run that was killed and resumed makes the same weights. The
generator yields only where weights are raw and modes are normal. Of several processes each runs all of this; what the
first does alone, the others wait out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from core.adapters.kind import kind_of
from core.config.options import RunConfig
from core.config.runfile import fingerprint
from core.data.batches import Slot
from core.events import Done, Event, Phase, Step, Stopped
from core.planning.learning import prior_weight_at
from core.planning.plan import is_due, is_shown
from core.training import checkpoints, device, faults
from core.training.average import Average
from core.training.checkpoints import TrainingState
from core.training.gradients import Gradients
from core.training.passes import Portion, picture_names
from core.training.precision import LossScale
from core.training.prepare import build_optimization, prepare
from core.training.previewing import show
from core.training.ranks import RankLost, Ranks
from core.training.rehearsal import largest, rehearse
from core.training.requests import Command, Poll, Requests, StopRequested, too_late
from core.training.saving import Saving
from core.training.start import open_run
from core.training.trained import train_only, trained_of
from core.training.validating import validate

SKIPS_ALLOWED = 3
"""So many steps in a row may give no number; then the run stops."""


class Trainer:
    """Trains the run in `folder` as `config` says, with these `ranks`. `poll` delivers commands, many times a step."""

    def __init__(
        self, config: RunConfig, folder: Path, *, resume: bool, poll: Poll, ranks: Ranks | None = None
    ) -> None:
        self._config = config
        self._folder = folder
        self._resume = resume
        self._ranks = ranks or Ranks()
        self._requests = Requests(self._ranks.watching(poll))
        self._saving: Saving | None = None
        self._step = self._updates = self._skipped = 0
        self._clock = time.monotonic()

    def run(self) -> Iterator[Event]:
        """Everything from loading to export. Raises `UserError` for what a person can mend."""
        began = time.monotonic()
        try:
            saving = self._saving = yield from self._begin()
            with device.repeating(self._config.performance.deterministic, self._settled.device):
                yield from self._train(saving)
            yield from self._alone(lambda: self._finish(saving))
            yield Done(step=self._step, seconds=time.monotonic() - began)
        except StopRequested:
            self._ranks.tell_stop(self._requests.stop)
            yield from self._end_early()
        except RankLost:
            if self._ranks.main and self._saving is not None and self._updates:
                yield from self._saving.save_last_good(self._state(), self._requests.given_up)
            raise
        finally:
            if self._saving is not None:
                self._saving.close()

    def _alone(self, work: Callable[[], Generator[Event, None, None]]) -> Iterator[Event]:
        return self._ranks.alone(work, self._requests)

    def _begin(self) -> Generator[Event, None, Saving]:
        """From the run's folder to networks, data and optimizer, as they were in the newest whole state."""
        config = self._config
        opening = yield from open_run(config, self._folder, self._resume, self._requests, self._ranks)
        found, state = opening.found, opening.state
        self._step, self._settled, self._plan = state.step if state else 0, opening.settled, opening.plan
        prepared = yield from prepare(config, self._folder, opening, self._requests, self._ranks)
        if state and state.data_hash != prepared.data_hash:
            yield faults.data_changed(state.step)
        self._prepared, self._model, self._conditioning = prepared, prepared.model, prepared.conditioning

        text_stopped = state.text_encoder_stopped if state else self._plan.text_encoder_steps == 0
        training = ["unet"] if config.performance.train_unet else []
        training += [] if text_stopped else list(self._model.text_encoders)
        trained = trained_of(
            self._model, checkpoints.held_components(found) if found else training,
            kind_of(config.lora, tuple(self._model.text_encoders)), seed=config.performance.seed,
        )  # fmt: skip
        train_only(self._model, trained, training, gradient_checkpointing=config.performance.gradient_checkpointing)
        if config.performance.compile:
            self._model.unet.compile()
        self._optimization = build_optimization(config, self._settled, self._plan, trained.only(training))
        averaged = trained.only(training if config.performance.ema else ())
        self._average = Average(averaged, config.performance.ema_decay)
        self._scale, portion = LossScale.for_precision(self._settled.precision), Portion(config.batch.size)
        if state and found:
            checkpoints.load_weights(found, trained)
            self._optimization.restore(checkpoints.read_optimizer(found), state.optimizer)
            self._average.restore(checkpoints.read_average(found))
            self._updates = state.updates
            portion = Portion(min(state.micro_batch, config.batch.size), state.split_pairs)
            if state.precision == self._settled.precision:
                self._scale.scale, self._scale.good = state.loss_scale, state.good_updates
        if text_stopped:
            self._freeze_text_encoders()
        self._gradients = Gradients(
            config, prepared, self._settled, self._optimization, self._scale, self._ranks,
            steps=self._plan.steps, portion=portion, look=self._requests.look,
        )  # fmt: skip
        return Saving(config, self._folder, self._model, self._optimization, trained, self._average, resumed=found)

    def _train(self, saving: Saving) -> Iterator[Event]:
        yield from self._rehearse()
        yield Phase(name="training", done=self._step, total=self._plan.steps)
        yield from self._alone(lambda: self._before_steps(saving))
        while self._step < self._plan.steps:
            if self._updates >= self._plan.text_encoder_steps and not self._conditioning.frozen:
                for name in self._model.text_encoders:
                    self._optimization.drop(name)
                    self._average.drop(name)
                self._freeze_text_encoders()
                if self._config.performance.compile:  # what is computed is another graph now
                    yield from self._rehearse()
                    self._clock = time.monotonic()
            yield from self._train_step()
            yield from self._alone(lambda: self._between_steps(saving))

    def _rehearse(self) -> Iterator[Event]:
        chosen, slots = self._config.performance, largest(self._prepared.batches, self._prepared.dataset)
        yield from rehearse(
            self._gradients, self._optimization, slots, self._settled.device, self._ranks,
            prior_weight=self._config.prior_loss.weight, compiles=chosen.compile, deterministic=chosen.deterministic,
        )  # fmt: skip

    def _train_step(self) -> Iterator[Event]:
        slots = self._prepared.batches.step(self._step)
        rates = self._optimization.set_rates(self._updates)
        prior_weight = prior_weight_at(self._config.prior_loss, self._step, self._plan.steps_per_epoch)
        while (figures := self._gradients.if_they_fit(self._step, slots, prior_weight)) is None:
            yield self._gradients.halve()
        loss = figures.instance + prior_weight * figures.prior
        finite = math.isfinite(loss) and math.isfinite(figures.norm)
        if finite:
            self._gradients.apply()
            self._average.update(self._updates)
            self._scale.went_well()
            self._updates, self._skipped = self._updates + 1, 0
        else:
            yield from self._skip(slots, loss)
        self._step += 1
        now = time.monotonic()
        speed, self._clock = len(slots) / max(now - self._clock, 1e-9), now
        yield Step(
            step=self._step,
            epoch=(self._step - 1) // self._plan.steps_per_epoch + 1,
            loss=loss,
            instance_loss=figures.instance,
            prior_loss=figures.prior if any(slot.prior is not None for slot in slots) else None,
            rate=rates.get("unet"),
            text_encoder_rate=next((rate for name, rate in rates.items() if name != "unet"), None),
            gradient_norm=figures.norm,
            images_per_second=speed,
            memory_bytes=device.peak_memory_bytes(self._settled.device),
            skipped=not finite,
        )

    def _skip(self, slots: Sequence[Slot], loss: float) -> Iterator[Event]:
        """Leave the weights alone; where skipping does not help, save them as they are and give up."""
        self._optimization.discard_gradients()
        if math.isfinite(loss) and self._scale.overflowed():
            return
        self._skipped += 1
        if self._skipped >= SKIPS_ALLOWED:
            if (saving := self._saving) is not None and self._updates:
                yield from self._alone(lambda: saving.save_last_good(self._state(), self._requests.given_up))
            names = picture_names(self._prepared.dataset, slots)
            raise faults.not_finite(self._config, self._skipped, self._step + 1, names)

    def _freeze_text_encoders(self) -> None:
        self._conditioning.freeze()
        self._model.offload_text_encoders()

    def _before_steps(self, saving: Saving) -> Generator[Event, None, None]:
        if self._step == 0:
            yield from self._validate()
            if self._config.intervals.sample_at_start and self._prepared.previews:
                yield from self._sample()
        self._clock = time.monotonic()
        yield from self._obey(saving)

    def _between_steps(self, saving: Saving) -> Generator[Event, None, None]:
        """What is due after a step, and what was asked for; its time does not count as training."""
        began = time.monotonic()
        intervals, per_epoch, step = self._config.intervals, self._plan.steps_per_epoch, self._step
        if is_due(step, 0, intervals.validate_every_steps, per_epoch) or step == self._plan.steps:
            yield from self._validate()
        if is_shown(step, self._plan.steps, intervals, per_epoch) and self._prepared.previews:
            yield from self._sample()
        due = is_due(step, intervals.save_every_epochs, intervals.save_every_steps, per_epoch)
        if step < self._plan.steps and (due or saving.retry_is_due):
            yield from saving.save(self._state())
            if self._config.saving.on_save:
                yield from saving.export(step)
        yield from saving.finished()
        self._clock += time.monotonic() - began
        due = is_due(step, intervals.pause_every_epochs, 0, per_epoch) and step < self._plan.steps
        yield from self._rest(saving) if due and intervals.pause_seconds else self._obey(saving)

    def _validate(self) -> Iterator[Event]:
        if self._config.intervals.validate_every_steps:
            prepared = self._prepared
            yield from validate(prepared.validate_instance, prepared.validate_prior, self._model, self._conditioning,
                                step=self._step, batch_size=self._gradients.portion.slots,
                                on_batch=self._requests.look)  # fmt: skip

    def _sample(self, id: str | None = None) -> Iterator[Event]:  # noqa: A002 - the event's own field
        weights = self._average.in_force if self._config.performance.ema_previews else nullcontext
        yield from show(self._prepared, self._settled, self._requests, folder=self._folder,
                        title=self._config.model.name, step=self._step, id=id, weights=weights)  # fmt: skip
        yield Phase(name="training", done=self._step, total=self._plan.steps)

    def _obey(self, saving: Saving, *, rest: float = 0.0) -> Iterator[Event]:
        began = time.monotonic()
        yield from self._requests.obey(self._step, self._act, saving.finished, rest=rest)
        self._clock += time.monotonic() - began
        if self._requests.stop is not None:
            raise StopRequested

    def _rest(self, saving: Saving) -> Iterator[Event]:
        """A pause for the card; everything is obeyed meanwhile."""
        seconds = self._config.intervals.pause_seconds
        yield Phase(name="resting", done=0, total=round(seconds))
        yield from self._obey(saving, rest=seconds)
        yield Phase(name="training", done=self._step, total=self._plan.steps)

    def _act(self, command: Command) -> Iterator[Event]:
        if command.command == "sample":
            yield from self._sample(command.id)
        elif command.command == "save" and self._saving is not None:
            yield from self._saving.save(self._state(), id=command.id)

    def _finish(self, saving: Saving) -> Generator[Event, None, None]:
        yield from saving.save_finally(self._state(), self._requests.given_up)
        yield from self._obey(saving)
        if self._config.saving.export_when_done or self._config.saving.on_save:
            yield from saving.export(self._step, final=True)
        yield from self._answer_the_rest(saved=True)

    def _end_early(self) -> Iterator[Event]:
        command = self._requests.stop
        fields = command.fields if command else {}
        reason, saved = str(fields.get("reason", "user")), self._step > 0 and not fields.get("discard")
        yield from self._alone(lambda: self._keep(reason, saved))
        yield Stopped(step=self._step, saved=saved, reason=reason, id=command.id if command else None)

    def _keep(self, reason: str, saved: bool) -> Generator[Event, None, None]:
        if self._saving is not None and saved:
            yield from self._saving.save_finally(self._state(), self._requests.given_up)
            if reason == "user" and self._config.saving.on_cancel:
                yield from self._saving.export(self._step)
        yield from self._answer_the_rest(saved=saved)

    def _answer_the_rest(self, *, saved: bool) -> Iterator[Event]:
        for command in self._requests.left_over():
            if command.command == "save" and saved and self._saving is not None:
                yield from self._saving.save(self._state(), id=command.id)
            else:
                yield too_late(command)

    def _state(self) -> TrainingState:
        return TrainingState(
            step=self._step,
            updates=self._updates,
            total_steps=self._plan.steps,
            micro_batch=self._gradients.portion.slots,
            split_pairs=self._gradients.portion.split_pairs,
            loss_scale=self._scale.scale,
            good_updates=self._scale.good,
            text_encoder_stopped=self._conditioning.frozen,
            threads=self._settled.threads,
            device=self._settled.name,
            precision=self._settled.precision,
            config_hash=fingerprint(self._config),
            data_hash=self._prepared.data_hash,
            versions=device.versions(),
            batch=self._plan.images_per_step,
            processes=self._ranks.count,
        )
