import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).parents[1]))
from toy_run import run_on_two_ranks

from qwen_audio.train.ranks import Ranks


def test_the_other_ranks_wait_a_day_for_what_rank_0_does_alone():
    ranks = Ranks()
    ranks.start_group(store=dist.HashStore(), rank=0, world_size=1)
    group = dist.group.WORLD._get_backend(torch.device("cpu"))
    assert group.options._timeout == timedelta(days=1)
    del group
    ranks.leave()


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


def test_what_one_rank_raises_is_said_and_ends_the_run_at_once(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        """
import sys, time
import torch.distributed as dist
from qwen_audio.train.ranks import Ranks

dist.destroy_process_group = lambda: time.sleep(100)  # as NCCL's, which waits for the other ranks
ranks = Ranks()
if ranks.rank == 1:
    sys.exit('qwen-audio train: out of memory')
ranks.gather(None)
"""
    )
    done = run_on_two_ranks(script, timeout=90)
    assert done.returncode == 1 and "out of memory\n" in done.stderr
