import pytest
from make_corpora import cat_file, tone, write
from sound_files import DOCS, MINETEST, OPENSFX, SIMUTRANS, find_sounds

CC_BY = "Creative Commons Attribution 3.0 Unported"
HORN = f'"Ship horn". Original "ship2.aif" by Leo. Edited by "Wu". License: {CC_BY}.'
TRUCK = '"Truck/old bus start". By Janis. License: Creative Commons Zero 1.0.'


def test_sounds_of_games_have_their_names_licences_and_originals(tmp_path):
    horn = write(tmp_path / "horn.wav", tone("horn")).read_bytes()
    corpus = tmp_path / "corpus"
    (corpus / OPENSFX).parent.mkdir(parents=True)
    (corpus / OPENSFX).write_bytes(cat_file({HORN: horn, TRUCK: b"RIFF"}))
    write(corpus / MINETEST / "mods/doors/sounds/doors_door_open.ogg", tone("door"))
    write(corpus / SIMUTRANS / "bus.wav", tone("bus"))
    (corpus / DOCS / "minetest-data").mkdir(parents=True)
    (corpus / DOCS / "minetest-data/copyright").write_text(
        "Files: mtg/mods/doors/sounds/*\nLicense: CC-BY-3.0\n"
    )
    ship, truck, door, bus = find_sounds(corpus, tmp_path / "out")
    assert (ship.name, ship.caption, ship.originals) == ("opensfx/Ship horn.wav", "Ship horn", ("ship2.aif",))
    assert ship.path.read_bytes() == horn
    assert (ship.licence, truck.licence) == ("Creative Commons Attribution 3.0", "Creative Commons Zero 1.0")
    assert (truck.name, truck.originals) == ("opensfx/Truck-old bus start.wav", ())
    assert truck.recording == "sounds-opensfx-Truck-old-bus-start"
    assert (door.name, door.licence) == ("minetest/doors_door_open.ogg", "CC-BY-3.0")
    assert (bus.name, bus.licence) == ("simutrans/bus.wav", "see copyright of simutrans-pak64")


def test_no_sounds_at_all_name_the_places(tmp_path):
    with pytest.raises(ValueError, match="no sounds; it must hold one of .*gcompris-qt.*simutrans"):
        find_sounds(tmp_path, tmp_path)
