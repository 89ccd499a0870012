"""What a run trains, as a value: its parameters by component, under the names that they have in files.

For a whole model these are the networks' own weights, for LoRA and its kin the small matrices beside them. The
optimizer, the states on disk, the average of the weights and the export all take this and never ask which it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from torch import nn

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


def whole_networks(model: Model, components: Iterable[str]) -> Trained:
    """Every parameter of these networks."""
    return Trained(
        {
            component: {
                from_folder(component, name): parameter
                for name, parameter in model.networks[component].named_parameters()
            }
            for component in components
        }
    )
