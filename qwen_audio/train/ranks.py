"""The processes of a run, as torchrun starts them; one process alone is the same with a world of 1."""

import atexit
import gc
import os
import sys
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

# for what rank 0 does alone, such as filling a frame cache; torch's 10 minutes (NCCL) would end the run, and torchrun
# ends it at once where a rank has died, see ``end``
PATIENCE = timedelta(days=1)


class Ranks:
    """Who this process is, and what the processes say to each other.

    Attributes:
        rank: number of this process; 0 writes files and speaks.
        world: number of processes.
        device: the device of this process.
    """

    def __init__(self, device: str | torch.device = "cpu"):
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.device = torch.device(device)
        if self.device.type == "cuda":
            if self.device.index is None:
                self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(self.device)
        if self.world > 1 and not dist.is_initialized():
            self.start_group()

    def start_group(self, **options) -> None:
        """Meet the other processes; ``options`` are torch's. A process that ends before ``leave`` ends as failed."""
        backend = "nccl" if self.device.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE, **options)
        atexit.register(end)

    def leave(self) -> None:
        """End the process group, which all ranks do together, when the run has come to its end."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def sum_(self, tensor: Tensor) -> None:
        """Replace ``tensor`` by its sum over the ranks."""
        if self.world > 1:
            dist.all_reduce(tensor)

    def first_(self, tensor: Tensor) -> None:
        """Replace ``tensor`` by rank 0's."""
        if self.world > 1:
            dense = tensor.contiguous()
            bytes_ = dense.reshape(-1).view(torch.uint8)  # NCCL does not know every type: not int16
            dist.broadcast(bytes_, 0)
            tensor.copy_(dense)

    def first(self, value: object) -> object:
        """Rank 0's ``value``."""
        if self.world == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, 0)
        return values[0]

    def gather(self, value: object) -> list:
        """The ``value`` of every rank, at every rank."""
        if self.world == 1:
            return [value]
        values: list = [None] * self.world
        dist.all_gather_object(values, value)
        return values


def end() -> None:
    """What a process that has met others does last.

    Where it has not left them, something was raised here, and they wait for this process in an operation. NCCL's groups
    can only be left together, so nothing is left: this process ends at once, and torchrun then ends the others.

    Otherwise the threads of the groups end with the last reference to them; one of gloo that lets go of its last tensor
    while the interpreter goes down aborts the process.
    """
    if dist.is_initialized():
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(1)
    gc.collect()
