import random

import numpy as np
import pytest
import soundfile
from pieces import LEVEL, NOISE, RATE, STEP, draw_pauses, place, trim


def tone(seconds, pitch=440.0):
    return 0.3 * np.sin(2 * np.pi * pitch * np.arange(round(seconds * RATE)) / RATE)


def test_what_is_trimmed_has_no_silence_around_it_and_keeps_the_silence_within():
    quiet = np.zeros(10 * STEP)
    wave = np.concatenate([quiet, tone(0.2), quiet, tone(0.1), quiet])
    assert len(trim(wave)) == len(tone(0.2)) + len(quiet) + len(tone(0.1))


def test_a_loud_and_a_faint_piece_come_to_the_same_level_without_a_click():
    loud, faint = trim(tone(0.2)), trim(tone(0.2) / 20)
    np.testing.assert_allclose(loud, faint, atol=1e-12)
    assert np.sqrt((loud[STEP:-STEP] ** 2).mean()) == pytest.approx(LEVEL, rel=0.05)
    assert abs(loud[0]) < 0.001 and abs(loud[-1]) < 0.001


def test_nothing_but_silence_is_no_piece():
    assert len(trim(np.zeros(1600))) == 0


def test_outside_the_times_of_the_words_there_is_only_the_faint_noise(tmp_path):
    pieces = [(trim(tone(0.2, 300)), "a"), (trim(tone(0.35, 700)), "b"), (trim(tone(0.1, 900)), "c")]
    path, words = place(pieces, [7, 30, 0, 12], tmp_path)
    assert words == [[0.07, 0.27, "a"], [0.57, 0.92, "b"], [0.92, 1.02, "c"]]
    samples, rate = soundfile.read(path)
    assert len(samples) / rate == pytest.approx(1.14)
    spoken = np.zeros(len(samples), bool)
    for start, end, _ in words:
        spoken[round(start * rate) : round(end * rate)] = True
    assert np.abs(samples[~spoken]).max() < 6 * NOISE
    for start, end, _ in words:
        steps = samples[round(start * rate) : round(end * rate)].reshape(-1, STEP)
        assert (np.sqrt((steps**2).mean(1)) > 10 * NOISE).all()


def test_the_same_pieces_give_the_same_file(tmp_path):
    piece = [(trim(tone(0.2)), "a")]
    assert place(piece, [3, 4], tmp_path, seed=1) == place(piece, [3, 4], tmp_path, seed=1)
    assert place(piece, [3, 4], tmp_path, seed=2)[0] != place(piece, [3, 4], tmp_path, seed=1)[0]


def test_there_is_a_pause_before_each_piece_and_one_behind():
    pauses = draw_pauses(random.Random(0), 200, 5, 8)
    assert len(pauses) == 201 and set(pauses) == {5, 6, 7, 8}
