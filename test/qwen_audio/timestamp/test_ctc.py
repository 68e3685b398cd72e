from collections.abc import Iterable
from types import SimpleNamespace

import pytest
import torch

from qwen_audio.timestamp.ctc import Ctc, units_of


@pytest.fixture(scope="module")
def head(tiny_tokenizer):
    torch.manual_seed(0)
    return Ctc(8, tiny_tokenizer)


def clips_of(frames: dict[int, str], length: int, silent: Iterable[int] = ()):
    """A clip of ``length`` frames of 20 ms, and its log probabilities: a unit heard in some, blank in the others."""
    log_probs = torch.full((1, length, 257), -9.0)
    wave = torch.full((length, 320), 0.5)
    wave[list(silent)] = 0.0
    log_probs[..., 0] = -0.1
    for frame, letter in frames.items():
        log_probs[0, frame, ord(letter) + 1] = -0.01
    samples = torch.tensor([length * 320])
    lengths = torch.tensor([length])
    parts = {
        "frontend": SimpleNamespace(num_frames=lambda samples: samples // 160),
        "encoder": SimpleNamespace(num_frames=lambda frames: (frames + 1) // 2),
    }
    loaded = SimpleNamespace(model=SimpleNamespace(**parts))
    return SimpleNamespace(
        loaded=loaded, hidden=log_probs, hidden_lengths=lengths, samples=samples, clips=[wave.flatten()]
    )


@pytest.fixture
def hears(head, monkeypatch):
    monkeypatch.setattr(head, "log_probs", lambda hidden: hidden)
    return head


def test_units_are_the_bytes_of_letters_and_digits_in_lower_case():
    assert units_of("No. 7, Да!".encode()) == [byte + 1 for byte in "no7да".encode()]


def test_half_a_character_is_taken_as_it_is():
    assert units_of("Д".encode()[:1]) == ["Д".encode()[0] + 1]


def test_the_loss_is_ctc_over_the_bytes_of_the_transcript(head, tiny_tokenizer):
    hidden, text = torch.randn(1, 30, 8), tiny_tokenizer.encode("The Dog, 2")
    loss, scored = head(hidden, torch.tensor([30]), torch.tensor([text]), torch.tensor([len(text)]))
    units = torch.tensor([[ord(letter) + 1 for letter in "thedog2"]])
    expected = torch.nn.functional.ctc_loss(
        head.log_probs(hidden).transpose(0, 1), units, torch.tensor([30]), torch.tensor([7]), reduction="sum"
    )
    torch.testing.assert_close(loss.sum(), expected)
    assert scored.tolist() == [7]


def test_padding_changes_no_loss(head, tiny_tokenizer):
    short, long = tiny_tokenizer.encode("dog"), tiny_tokenizer.encode("the quick brown fox")
    hidden = torch.randn(2, 60, 8)
    rows = torch.nn.utils.rnn.pad_sequence([torch.tensor(short), torch.tensor(long)], True, 5)
    losses, _ = head(hidden, torch.tensor([20, 60]), rows, torch.tensor([len(short), len(long)]))
    alone, _ = head(hidden[:1, :20], torch.tensor([20]), torch.tensor([short]), torch.tensor([len(short)]))
    torch.testing.assert_close(losses[:1], alone)


def test_a_transcript_with_more_units_than_frames_is_left_out(head, tiny_tokenizer):
    text = torch.tensor([tiny_tokenizer.encode("fool"), tiny_tokenizer.encode("fool")])
    lengths = torch.tensor([5, 4])  # four letters, and a blank between the two o
    loss, scored = head(torch.randn(2, 5, 8), lengths, text, torch.full((2,), text.shape[1]))
    assert scored.tolist() == [4, 0] and loss[1] == 0 and loss[0] > 0


def test_a_word_begins_before_its_first_unit_and_lasts_to_the_next_word(hears):
    clip = clips_of({10: "g", 14: "o", 20: "u", 22: "p"}, length=50)
    words = hears.times(clip, ["Go up."], ["en"])[0]
    assert [word[0] for word in words] == ["Go", "up."]
    assert words[0][1:3] == (pytest.approx(10 * 0.02 - 0.04), pytest.approx(20 * 0.02 - 0.04))
    assert words[1][1:3] == (pytest.approx(20 * 0.02 - 0.04), pytest.approx(23 * 0.02 + 0.1))
    assert all(0.97 < word[3] <= 1 for word in words)


def test_silence_between_words_ends_one_and_begins_the_other(hears):
    clip = clips_of({3: "a", 40: "b"}, length=50, silent=range(8, 33))
    words = hears.times(clip, ["a b"], ["en"])[0]
    assert words[0][2] == pytest.approx(8 * 0.02) and words[1][1] == pytest.approx(33 * 0.02)


def test_each_clip_of_a_batch_has_silences_of_its_own(hears):
    loud = clips_of({3: "a", 40: "b"}, length=50)
    both = clips_of({3: "a", 40: "b"}, length=50, silent=range(8, 33))
    both.clips = [*loud.clips, *both.clips]
    both.hidden, both.hidden_lengths = both.hidden.expand(2, -1, -1), both.hidden_lengths.expand(2)
    both.samples = both.samples.expand(2)
    words = hears.times(both, ["a b", "a b"], ["en", "en"])
    assert words[0] == hears.times(loud, ["a b"], ["en"])[0]
    assert words[1][0][2] == pytest.approx(8 * 0.02) and words[1][1][1] == pytest.approx(33 * 0.02)


def test_a_click_in_a_pause_gives_no_part_of_it_to_a_word(hears):
    before = [*range(70), *range(75, 100)]  # 1.4 s, a click, 0.5 s
    word = hears.times(clips_of({102: "a"}, length=110, silent=before), ["a"], ["en"])[0][0]
    assert word.start == pytest.approx(100 * 0.02)
    between = [*range(20, 45), *range(50, 120)]  # 0.5 s, a click, 1.4 s
    words = hears.times(clips_of({17: "a", 122: "b"}, length=150, silent=between), ["a b"], ["en"])[0]
    assert words[0].end == pytest.approx(20 * 0.02) and words[1].start == pytest.approx(120 * 0.02)


def test_the_closure_of_a_stop_belongs_to_its_word(hears):
    """Silence of 0.08 s, its burst, 0.4 s of a pause: the unit before was emitted early."""
    clip = clips_of({3: "a", 40: "b"}, length=50, silent=[*range(6, 10), *range(12, 32)])
    words = hears.times(clip, ["a b"], ["en"])[0]
    assert words[0].end == pytest.approx(12 * 0.02) and words[1].start == pytest.approx(32 * 0.02)


def test_a_silence_of_one_frame_is_no_pause(hears):
    clip = clips_of({10: "a", 20: "b"}, length=50, silent=range(14, 15))
    words = hears.times(clip, ["a b"], ["en"])[0]
    assert words[0][2] == words[1][1] == pytest.approx(20 * 0.02 - 0.04)


def test_in_a_long_gap_without_silence_a_word_ends_soon_after_its_last_unit(hears):
    words = hears.times(clips_of({3: "a", 40: "b"}, length=50), ["a b"], ["en"])[0]
    assert words[0][2] == pytest.approx(4 * 0.02 + 0.1)


def test_times_lie_within_the_clip(hears):
    words = hears.times(clips_of({0: "a", 9: "b"}, length=10), ["a b"], ["en"])[0]
    assert words[0][1] == 0.0 and words[1][2] == pytest.approx(0.2)


def test_a_word_ends_with_its_clip_though_the_last_frame_goes_on_behind_it(hears):
    clip = clips_of({3: "a"}, length=5)
    clip.samples, clip.clips = clip.samples - 100, [clip.clips[0][:-100]]
    word = hears.times(clip, ["a"], ["en"])[0][0]
    assert (word.start, word.end) == (pytest.approx(3 * 0.02 - 0.04), 1500 / 16000)


def test_frames_of_the_silence_that_a_clip_is_padded_with_change_no_times(hears):
    alone = clips_of({10: "g", 14: "o", 20: "u", 22: "p"}, length=50)
    padded = clips_of({10: "g", 14: "o", 20: "u", 22: "p"}, length=50)
    padded.hidden = torch.nn.functional.pad(padded.hidden, (0, 0, 0, 1450))
    padded.hidden_lengths = torch.tensor([1500])
    padded.loaded.model.encoder.num_frames = lambda frames: -(-frames // 3000) * 1500
    assert hears.times(padded, ["go up"], ["en"]) == hears.times(alone, ["go up"], ["en"])


def test_in_chinese_each_character_is_a_word(hears):
    clip = clips_of({}, length=40)
    for frame, byte in zip((5, 6, 7, 20, 21, 22), "你好".encode()):
        clip.hidden[0, frame, byte + 1] = 0.0
    words = hears.times(clip, ["你 好"], ["zh"])[0]
    assert [(word[0], round(word[1], 2)) for word in words] == [("你", 0.06), ("好", 0.36)]


def test_a_text_too_long_for_its_clip_is_spaced_evenly_and_not_trusted(hears):
    words = hears.times(clips_of({}, length=3), ["never that quick"], ["en"])[0]
    assert len(words) == 3 and {word[3] for word in words} == {0.0}


def test_a_mark_that_stands_alone_takes_no_time_and_changes_that_of_no_word(hears):
    frames = {10: "a", 20: "b", 60: "c"}
    a, b, c = hears.times(clips_of(frames, 90, silent=range(26, 55)), ["a b c"], ["en"])[0]
    found = hears.times(clips_of(frames, 90, silent=range(26, 55)), ["« a – b ! c ."], ["en"])[0]
    assert [word for word in found if word.text.isalpha()] == [a, b, c]
    marks = [tuple(word) for word in found if not word.text.isalpha()]
    assert marks == [
        ("«", 0.0, 0.0, 0.0),
        ("–", a.end, a.end, 0.0),
        ("!", b.end, b.end, 0.0),
        (".", c.end, c.end, 0.0),
    ]


def test_marks_alone_stand_at_the_beginning(hears):
    assert hears.times(clips_of({}, length=3), ["... !"], ["en"])[0] == [
        ("...", 0.0, 0.0, 0.0),
        ("!", 0.0, 0.0, 0.0),
    ]


def test_an_empty_text_has_no_words(hears):
    assert hears.times(clips_of({}, length=3), [""], ["en"]) == [[]]


def test_it_is_trained_beside_the_other_losses(tiny_model, make_batch):
    model = tiny_model(timestamp_head="ctc")
    model.loss_weights = {"lm": 1.0, "timestamp": 0.5}
    batch = make_batch([(16000, "ab", "dog", 0, "dog"), (9000, "ab", "fox", 0, "the fox")])
    loss, stats, weight = model(**batch)
    loss.backward()
    assert model.timestamp_head.project.weight.grad.abs().sum() > 0
    nats, units = stats["loss_timestamp"]
    assert units == len("dog") + len("thefox")
    expected = stats["loss_lm"] + 0.5 * nats / weight
    torch.testing.assert_close(stats["loss"], expected.squeeze(0))
