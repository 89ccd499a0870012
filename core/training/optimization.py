"""Everything between a gradient and new weights: parameter groups, rates, clipping, the update, its state."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from core.choices.optimizers import OPTIMIZERS
from core.choices.schedulers import rate_at


class Optimization:
    """The optimizer over named components (`unet`, `text_encoder`), each a parameter group with its own rate.

    `components` are those of `Trained`: component → name → parameter. `rates` are the peak rates by component. Trained
    weights are fp32; a parameter that needs no gradient is refused.
    """

    def __init__(
        self,
        components: Mapping[str, Mapping[str, nn.Parameter]],
        *,
        optimizer: str,
        weight_decay: float,
        rates: Mapping[str, float],
        scheduler: str,
        total: int,
        warmup: int,
        final_rate: float,
        max_grad_norm: float,
    ) -> None:
        self._rates = dict(rates)
        self._rate_at = partial(rate_at, scheduler, total=total, warmup=warmup, final_rate=final_rate)
        self._max_grad_norm = max_grad_norm
        self.names: dict[Tensor, str] = {
            parameter: f"{component}/{name}"
            for component, parameters in components.items()
            for name, parameter in parameters.items()
        }
        groups = [
            {"params": list(parameters.values()), "lr": rates[component], "component": component}
            for component, parameters in components.items()
        ]
        for parameter, name in self.names.items():
            if not parameter.requires_grad or parameter.dtype != torch.float32:
                raise ValueError(f"{name} must be fp32 and require a gradient")
        self.optimizer = OPTIMIZERS[optimizer].build(groups, weight_decay)

    @property
    def components(self) -> list[str]:
        """What is still being trained."""
        return [group["component"] for group in self.optimizer.param_groups]

    def set_rates(self, update: int) -> dict[str, float]:
        """Put the rates of this update into force; returns them by component."""
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate_at(update, rate=self._rates[group["component"]])
        return {group["component"]: group["lr"] for group in self.optimizer.param_groups}

    def unscaled_norm(self, scale: float) -> Tensor:
        """Divide the gradients by the loss scale; the norm of all of them together, a scalar on the device."""
        gradients = [parameter.grad for parameter in self._parameters() if parameter.grad is not None]
        if scale != 1.0:
            torch._foreach_mul_(gradients, 1.0 / scale)
        return nn.utils.get_total_norm(gradients)

    def update(self, norm: Tensor) -> None:
        """Clip to the allowed norm (one clip over everything, without waiting for the device) and step."""
        if self._max_grad_norm > 0:
            nn.utils.clip_grads_with_norm_(self._parameters(), self._max_grad_norm, norm)
        self.optimizer.step()
        self.discard_gradients()

    def discard_gradients(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)

    def drop(self, component: str) -> None:
        """Stop training a component: its gradients, optimizer state and group go; every other bit stays."""
        dropped = [group for group in self.optimizer.param_groups if group["component"] == component]
        self.optimizer.param_groups[:] = [
            group for group in self.optimizer.param_groups if group["component"] != component
        ]
        for group in dropped:
            for parameter in group["params"]:
                self.optimizer.state.pop(parameter, None)
                self.names.pop(parameter)
                parameter.grad = None
                parameter.requires_grad_(False)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The optimizer's memory: tensors and plain values, both keyed `component/parameter|entry`."""
        tensors: dict[str, Tensor] = {}
        plain: dict[str, Any] = {}
        for parameter, entries in self.optimizer.state.items():
            for entry, value in entries.items():
                key = f"{self.names[parameter]}|{entry}"
                (tensors if isinstance(value, Tensor) else plain)[key] = value
        return tensors, plain

    def restore(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
        """Take back what `state` gave. Raises `KeyError` for a parameter that is not trained here."""
        parameters = {name: parameter for parameter, name in self.names.items()}
        for key, tensor in tensors.items():
            name, _, entry = key.rpartition("|")
            parameter = parameters[name]
            self.optimizer.state[parameter][entry] = tensor.to(parameter.device)
        for key, value in plain.items():
            name, _, entry = key.rpartition("|")
            self.optimizer.state[parameters[name]][entry] = value

    def _parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
