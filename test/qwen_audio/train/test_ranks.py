from datetime import timedelta

import torch
import torch.distributed as dist

from qwen_audio.train.ranks import Ranks, leave_group


def test_the_other_ranks_wait_a_day_for_what_rank_0_does_alone():
    Ranks().start_group(store=dist.HashStore(), rank=0, world_size=1)
    group = dist.group.WORLD._get_backend(torch.device("cpu"))
    assert group.options._timeout == timedelta(days=1)
    leave_group()
