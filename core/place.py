"""Which of a run's processes this one is: rank 0 leads, the others train along.

The variables are those that torch's launchers set: https://docs.pytorch.org/docs/stable/elastic/run.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.texts import UserError, joined

HOME = "127.0.0.1"
NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
OTHER_WAYS = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
}
"""What accelerate sets for what it was configured to do."""


@dataclass(frozen=True)
class Place:
    """Process `rank` of `count`; on this computer it is number `local_rank` of `local_count`, and trains on the card of
    that number. All meet at `address` and `port`; `attempt` tells the meetings of one launcher apart.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1
    address: str = HOME
    port: int = 0
    attempt: str = "0"
    launched: bool = False
    """Whether another launcher started this process, and all the others."""
    store_is_theirs: bool = False
    """Whether that launcher keeps the meeting place itself."""

    def variables(self) -> dict[str, str]:
        """What tells a process that this is its place."""
        return {
            "RANK": str(self.rank),
            "WORLD_SIZE": str(self.count),
            "LOCAL_RANK": str(self.local_rank),
            "LOCAL_WORLD_SIZE": str(self.local_count),
            "MASTER_ADDR": self.address,
            "MASTER_PORT": str(self.port),
        }


ALONE = Place()


def place_in(environment: Mapping[str, str]) -> Place:
    """The place that a launcher gave this process; `ALONE` where there is none. `UserError` for half a place."""
    if not environment.get("RANK") and not environment.get("WORLD_SIZE"):
        return ALONE
    for way, title in OTHER_WAYS.items():
        if environment.get(way, "false").lower() == "true":
            raise UserError(
                "processes.other-way",
                "accelerate is set up for {title}, which cuts a model into parts; dbtui does not.",
                mend="Start it with `accelerate launch --multi_gpu …`, where each card holds the whole model.",
                title=title,
            )  # fmt: skip
    missing = [name for name in NEEDED if not environment.get(name)]
    if not missing and environment["WORLD_SIZE"] == "1":
        return ALONE
    try:
        if not missing:
            count = int(environment["WORLD_SIZE"])
            return Place(
                rank=int(environment["RANK"]),
                count=count,
                local_rank=int(environment["LOCAL_RANK"]),
                local_count=int(environment.get("LOCAL_WORLD_SIZE") or count),
                address=environment["MASTER_ADDR"],
                port=int(environment["MASTER_PORT"]),
                attempt=environment.get("TORCHELASTIC_RESTART_COUNT", "0"),
                launched=True,
                store_is_theirs=environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
            )
    except ValueError:
        missing = [name for name in NEEDED if name != "MASTER_ADDR" and not environment[name].isdecimal()]
    raise UserError(
        "processes.half-launched",
        "Something started this as one of several processes, but {names} {verb} in its environment.",
        mend="On one computer `dbtui train … --processes N` is all that is needed. On several, start the same on each: "
        "`accelerate launch --multi_gpu --num_machines M --num_processes ALL --machine_rank I --main_process_ip HOST "
        "--main_process_port PORT -m dbtui train …`, or `torchrun --nnodes M --nproc_per_node CARDS --node_rank I "
        "--master_addr HOST --master_port PORT -m dbtui train …`.",
        names=joined(missing), verb="is not given" if len(missing) == 1 else "are not given",
    )  # fmt: skip
