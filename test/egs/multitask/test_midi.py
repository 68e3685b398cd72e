import pytest
from midi import midi_file, variable_length


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
    assert midi_file([(5, 60, 100)], held_ms=100, heard_ms=120, slot_ms=150) == head + track


def test_a_number_out_of_range_is_named():
    with pytest.raises(ValueError, match=r"\(0, 128, 1\).*from 0 to 127"):
        midi_file([(0, 128, 1)], 1, 1, 1)


def test_times_that_do_not_grow_are_named():
    with pytest.raises(ValueError, match="held_ms 9, heard_ms 5"):
        midi_file([], 9, 5, 10)
