from datetime import timedelta

import pytest
import torch
import torch.distributed as dist

from qwen_audio.train.ranks import Ranks, leave_group


def test_the_other_ranks_wait_a_day_for_what_rank_0_does_alone():
    Ranks().start_group(store=dist.HashStore(), rank=0, world_size=1)
    group = dist.group.WORLD._get_backend(torch.device("cpu"))
    assert group.options._timeout == timedelta(days=1)
    leave_group()


@pytest.mark.parametrize(
    "dtype", [torch.int16, torch.bool, torch.bfloat16, torch.int64, torch.complex64], ids=str
)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
def test_a_tensor_of_any_type_goes_to_the_other_ranks_in_bytes_which_nccl_knows(monkeypatch, dtype, shape):
    theirs = torch.tensor([3, 1, 4, 1, 5, 9])[: torch.Size(shape).numel()].to(dtype).reshape(shape)
    sent = []

    def broadcast(tensor, source):  # as on a rank that receives
        sent.append(tensor.dtype)
        tensor.copy_(theirs.reshape(-1).view(torch.uint8))

    monkeypatch.setattr(dist, "broadcast", broadcast)
    ranks = Ranks()
    ranks.world = 2
    ours = torch.zeros((*shape, 2), dtype=dtype)[..., 0]  # not contiguous
    ranks.first_(ours)
    assert torch.equal(ours, theirs) and sent == [torch.uint8]
