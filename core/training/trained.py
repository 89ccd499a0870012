"""What a run trains, as a value: its parameters by component, under the names that they have in files.

For a whole model these are the networks' own weights, for LoRA and its kin the small matrices beside them. The
optimizer, the states on disk, the average of the weights and the export all take this and never ask which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import nn

from core.adapters.inject import inject
from core.adapters.kind import Kind
from core.families.keys import from_folder
from core.families.model import Model


@dataclass(frozen=True)
class Trained:
    """`components` maps `unet`, `text_encoder`, … to file name → parameter (the network's own, not a copy).

    A component stands here as long as its weights differ from the source's, whether or not it still trains.
    """

    components: Mapping[str, Mapping[str, nn.Parameter]]

    def only(self, components: Iterable[str]) -> Trained:
        """The same of these components alone."""
        return Trained({name: self.components[name] for name in components})

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Every parameter as `component/file name`, in the order of the components."""
        for component, parameters in self.components.items():
            for name, parameter in parameters.items():
                yield f"{component}/{name}", parameter


def trained_of(model: Model, components: Iterable[str], kind: Kind | None, *, seed: int) -> Trained:
    """What is trained of these components: fresh adapters of a kind, which this puts beside the weights, or every
    parameter where there is none.
    """
    if kind is not None:
        return Trained(inject(model, components, kind, seed=seed))
    return Trained(
        {
            component: {
                from_folder(component, name): parameter
                for name, parameter in model.networks[component].named_parameters()
            }
            for component in components
        }
    )


def train_only(model: Model, trained: Trained, components: Iterable[str], *, gradient_checkpointing: bool) -> None:
    """Gradients for what is trained of these components and nothing else, and train mode for their networks."""
    components = list(components)
    model.train_only(components, gradient_checkpointing=gradient_checkpointing)
    for component in components:
        model.networks[component].requires_grad_(False)
        for parameter in trained.components[component].values():
            parameter.requires_grad_(True)
