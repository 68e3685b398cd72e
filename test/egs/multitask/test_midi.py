import pytest
from midi import all_sound_off, key_down, key_up, midi_file, program, variable_length


@pytest.mark.parametrize(  # the table of the MIDI file standard
    ("number", "encoded"),
    [(0x00, "00"), (0x7F, "7f"), (0x80, "81 00"), (0x3FFF, "ff 7f"), (0x100000, "c0 80 00")],
)
def test_delta_times_are_those_of_the_standard(number, encoded):
    assert variable_length(number) == bytes.fromhex(encoded)


def test_one_note_is_these_bytes():
    track = bytes.fromhex(
        "00 c0 05"  # at once: program 5
        "00 90 3c 64"  # at once: key 60 down, velocity 100
        "64 80 3c 00"  # after 100 ms: key up
        "14 b0 78 00"  # after 20 ms: all sound off
        "00 ff 2f 00"  # end
    )
    head = bytes.fromhex("4d546864 00000006 0000 0001 01f4 4d54726b") + len(track).to_bytes(4, "big")
    played = [(0, program(5)), (0, key_down(60, 100)), (100, key_up(60)), (120, all_sound_off())]
    assert midi_file(played) == head + track


@pytest.mark.parametrize(
    "message", [lambda: program(128), lambda: key_down(128, 1), lambda: key_down(1, 128)]
)
def test_a_number_out_of_range_is_named(message):
    with pytest.raises(ValueError, match="128: .*from 0 to 127"):
        message()


def test_a_message_before_the_last_is_named():
    with pytest.raises(ValueError, match="message 1 is at 5 ms, the one before it at 9 ms"):
        midi_file([(9, key_up(1)), (5, key_up(2))])
