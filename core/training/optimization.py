"""Everything between a gradient and new weights: parameter groups, rates, clipping, the update, its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from core.choices.optimizers import OPTIMIZERS, Numbers, build
from core.choices.schedulers import Schedule
from core.training.rounding import Shadows

PAGED = ("state1", "state2")
"""What bitsandbytes' paged optimizers keep in memory that may move to the host."""


class Optimization:
    """The optimizer over named components (`unet`, `text_encoder`), each a parameter group with its own rate.

    `components` are those of `Trained`: component → name → parameter. `rates` are the peak rates by component. Trained
    weights are fp32, or all of them bf16 and rounded at random (`rounding.py`) by `seed`. Raises `UserError` where the
    optimizer does not work here.
    """

    def __init__(
        self,
        components: Mapping[str, Mapping[str, nn.Parameter]],
        *,
        optimizer: str,
        numbers: Numbers,
        rates: Mapping[str, float],
        schedule: Schedule,
        max_grad_norm: float,
        seed: int,
    ) -> None:
        self._entry = OPTIMIZERS[optimizer]
        self._rates = dict(rates)
        self._schedule = schedule
        self._max_grad_norm = max_grad_norm
        self._update = 0
        self._weights = {component: dict(parameters) for component, parameters in components.items()}
        named = {
            f"{component}/{name}": parameter
            for component, parameters in components.items()
            for name, parameter in parameters.items()
        }
        self._shadows = Shadows(named, seed) if _are_bf16(named) else None
        if self._shadows is not None and not self._entry.steps_parts:
            raise ValueError(f"{optimizer} cannot update bf16 weights a part at a time")
        self.names: dict[Tensor, str] = {self._own(name, parameter): name for name, parameter in named.items()}
        """What the optimizer has in hand → `component/name`."""
        groups = [
            {
                "params": [self._own(f"{component}/{name}", parameter) for name, parameter in parameters.items()],
                "lr": rates[component],
                "component": component,
            }
            for component, parameters in components.items()
        ]
        self.optimizer = build(optimizer, groups, numbers)

    @property
    def components(self) -> list[str]:
        """What is still being trained."""
        return [group["component"] for group in self.optimizer.param_groups]

    @property
    def rounds_at_random(self) -> bool:
        """Whether the weights are bf16, which `update` alone can change."""
        return self._shadows is not None

    @property
    def state_bytes_to_come(self) -> int:
        """What the optimizer will keep once it has made an update, by its entry's arithmetic; 0 from then on."""
        if self.optimizer.state:
            return 0
        return round(sum(parameter.numel() for parameter in self.parameters()) * self._entry.state_bytes)

    def set_rates(self, update: int) -> dict[str, float]:
        """Put the rates of this update into force; returns them by component.

        An optimizer that finds the rate itself is given a factor of it; what is returned is their product.
        """
        self._update = update
        for group in self.optimizer.param_groups:
            group["lr"] = self._schedule.rate_at(update, self._rates[group["component"]])
        return {group["component"]: group["lr"] * group.get("d", 1.0) for group in self.optimizer.param_groups}

    def unscaled_norm(self, scale: float) -> Tensor:
        """Divide the gradients by the loss scale; the norm of all of them together, a scalar on the device."""
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        if scale != 1.0:
            torch._foreach_mul_(gradients, 1.0 / scale)
        norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients, dtype=torch.float32)))
        return norm

    def update(self, norm: Tensor) -> None:
        """Clip to the allowed norm (one clip over everything, without waiting for the device) and step."""
        if self._shadows is not None:
            clip = (self._max_grad_norm / (norm + 1e-6)).clamp(max=1.0) if self._max_grad_norm > 0 else None
            self._shadows.step(self.optimizer, self._update, clip)
        else:
            if self._max_grad_norm > 0:
                nn.utils.clip_grads_with_norm_(self.parameters(), self._max_grad_norm, norm)
            self.optimizer.step()
        self.discard_gradients()

    def discard_gradients(self) -> None:
        for parameter in self.parameters():
            parameter.grad = None

    def drop(self, component: str) -> None:
        """Stop training a component: its gradients, optimizer state and group go; every other bit stays."""
        self.optimizer.param_groups[:] = [
            group for group in self.optimizer.param_groups if group["component"] != component
        ]
        for name, parameter in self._weights.pop(component).items():
            full = f"{component}/{name}"
            own = self._own(full, parameter)
            self.optimizer.state.pop(own, None)
            self.names.pop(own)
            if self._shadows is not None:
                self._shadows.drop(full)
            parameter.grad = None
            parameter.requires_grad_(False)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The optimizer's memory: tensors and plain values, keyed `component/parameter|entry`, or `component|entry`
        for what it keeps of a whole group.
        """
        tensors: dict[str, Tensor] = {}
        plain: dict[str, Any] = {}
        for parameter, entries in self.optimizer.state.items():
            for entry, value in entries.items():
                key = f"{self.names[parameter]}|{entry}"
                (tensors if isinstance(value, Tensor) else plain)[key] = value
        for group in self.optimizer.param_groups:
            plain |= {f"{group['component']}|{entry}": group[entry] for entry in self._entry.learns}
        return tensors, plain

    def restore(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
        """Take back what `state` gave. Raises `KeyError` for a parameter that is not trained here."""
        parameters = {name: parameter for parameter, name in self.names.items()}
        groups = {group["component"]: group for group in self.optimizer.param_groups}
        for key, tensor in tensors.items():
            name, _, entry = key.rpartition("|")
            self.optimizer.state[parameters[name]][entry] = self._on_device(tensor, entry, parameters[name].device)
        for key, value in plain.items():
            name, _, entry = key.rpartition("|")
            if name in groups:
                groups[name][entry] = value
            else:
                self.optimizer.state[parameters[name]][entry] = value

    def parameters(self) -> list[nn.Parameter]:
        """What is trained now, in an order that only depends on what it is."""
        return [parameter for parameters in self._weights.values() for parameter in parameters.values()]

    def _own(self, name: str, parameter: nn.Parameter) -> nn.Parameter:
        return parameter if self._shadows is None else self._shadows.of(name)

    def _on_device(self, tensor: Tensor, entry: str, device: torch.device) -> Tensor:
        """A restored tensor of the optimizer's, in pages again where it had them."""
        if entry not in PAGED or not getattr(self.optimizer, "is_paged", False):
            return tensor.to(device)
        pages: Tensor = self.optimizer.get_state_buffer(  # type: ignore[attr-defined]
            torch.empty(tensor.shape, dtype=tensor.dtype, device=device), dtype=tensor.dtype
        )
        return pages.copy_(tensor)


def _are_bf16(parameters: Mapping[str, nn.Parameter]) -> bool:
    """Whether the weights are bf16. `ValueError` where they are neither all bf16 nor all fp32, or need no gradient."""
    dtypes = {parameter.dtype for parameter in parameters.values()}
    for name, parameter in parameters.items():
        if not parameter.requires_grad or parameter.dtype not in (torch.float32, torch.bfloat16) or len(dtypes) > 1:
            raise ValueError(f"{name} must be fp32, or bf16 like all the others, and require a gradient")
    return dtypes == {torch.bfloat16}
