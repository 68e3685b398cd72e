import pytest

from qwen_audio.interop.name_map import NameMap, reverse, under

TABLE = {"h.{i}.c_attn.{part}": "q.{i}.{part} k.{i}.{part}", "wte.weight": "embed.weight", "old.{rest}": ""}


@pytest.mark.parametrize("name, targets", [
    ("h.12.c_attn.bias", ["q.12.bias", "k.12.bias"]),
    ("wte.weight", ["embed.weight"]),
    ("old.a.b", []),
    ("h.x.c_attn.bias", None),
    ("h.1.c_attn.scale", None),
    ("wteXweight", None),
    ("x.wte.weight", None),
])  # fmt: skip
def test_names_follow_the_table(name, targets):
    assert NameMap(TABLE).targets(name) == targets


def test_the_first_line_that_fits_counts():
    table = NameMap({"a.norm.{part}": "norm.{part}", "a.{rest}": "b.{rest}"})
    assert table.targets("a.norm.bias") == ["norm.bias"] and table.targets("a.norm.x") == ["b.norm.x"]


def test_prefixes_go_before_every_name():
    assert (
        under("x.", TABLE, "y.")["h.{i}.c_attn.{part}".replace("h", "x.h", 1)]
        == "y.q.{i}.{part} y.k.{i}.{part}"
    )
    assert under("x.", TABLE, "y.")["x.old.{rest}"] == ""


def test_a_reversed_table_leads_back():
    table = {"a.{rest}": "b.{rest}", "norm.{part}": "ln.{part}"}
    for name in ("a.x.y", "norm.bias"):
        (there,) = NameMap(table).targets(name)
        assert NameMap(reverse(table)).targets(there) == [name]
