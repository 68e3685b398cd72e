"""Two runs at once in one recipe folder."""

import os
import signal
import time

import pytest
from shell_recipe import WHOLE, names


def wait_for(true):
    begin = time.monotonic()
    while not true():
        assert time.monotonic() - begin < 60
        time.sleep(0.05)


def both(recipe, held, folder, tags=("a", "b")):
    """Two runs, the second started while the first one is at ``held``; the second one waits for ``folder``."""
    first = recipe.start("first", "--tag", tags[0], HOLD=held)
    wait_for(lambda: held.strip("^ ") in (recipe.folder / "first").read_text())
    second = recipe.start("second", "--tag", tags[1])
    wait_for(lambda: f"another run is at work on {folder}: waiting for it" in recipe.said(second))
    return first, second


@pytest.mark.parametrize(
    "held, folder",
    [
        ("data", "data"),
        ("prepare data/one_train", "dump/raw/one_train"),
        ("tokenizer", "exp/tokenizer"),
    ],
)
def test_what_both_runs_want_is_done_once(recipe, held, folder):
    runs = both(recipe, held, folder)
    (recipe.folder / "go").touch()
    (one, said, first), (other, heard, second) = map(recipe.end, runs)
    assert (one, other) == (0, 0), said + heard
    alone = WHOLE[-5:]  # what a model has of its own
    assert (names(first)[-5:], names(second)[-5:]) == (alone, alone)
    assert sorted(names(first)[:-5] + names(second)[:-5]) == sorted(WHOLE[:-5])


@pytest.mark.parametrize("held", ["^train ", "^decode "])
def test_a_model_is_trained_and_decoded_by_one_run_at_a_time(recipe, held):
    first, second = both(recipe, held, "exp/pretrain_a", tags=("a", "a"))
    (recipe.folder / "go").touch()
    (one, said, called), (other, heard, more) = map(recipe.end, (first, second))
    assert (one, other) == (0, 0), said + heard
    done = names(called) + names(more)  # after the lock they share what is left
    assert (done.count("train"), done.count("decode")) == (1, 1)


def test_what_a_killed_run_did_not_finish_is_done_by_the_one_that_waited(recipe):
    first, second = both(recipe, "prepare data/one_train", "dump/raw/one_train")
    os.kill(first[1].pid, signal.SIGKILL)
    time.sleep(0.3)
    assert second[1].poll() is None  # the command that the killed run had started is still at work
    (recipe.folder / "go").touch()
    status, output, called = recipe.end(second)
    assert status == 0, output
    assert names(called) == WHOLE[3:]


def test_several_machines_train_in_one_folder(recipe):
    recipe.run("--stop_stage", "3")
    args = ["--num_nodes", "2", "--master", "host:1", "--stage", "4", "--stop_stage", "4", "--ngpu", "1"]
    python = recipe.folder.parents[1] / "tools/venv/bin/python"
    torchrun = (
        '[ "$1" = -m ] && echo "torchrun $*" >> "$LOG" && while [ ! -e go ]; do sleep 0.05; done && exit\n'
    )
    python.write_text(python.read_text().replace("exec", torchrun + "exec", 1))
    nodes = [recipe.start(log, *args) for log in ("first", "second")]
    wait_for(lambda: all("torchrun" in (recipe.folder / log).read_text() for log, _ in nodes))
    (recipe.folder / "go").touch()
    assert [recipe.end(node)[0] for node in nodes] == [0, 0]


def test_where_there_are_no_locks_the_stages_run(recipe):
    flock = recipe.folder.parents[1] / "tools/venv/bin/flock"
    flock.write_text("#!/bin/sh\necho 'flock: 10: No locks available' >&2\nexit 71\n")
    flock.chmod(0o755)
    status, output, called = recipe.run()
    assert status == 0 and names(called) == WHOLE, output
