"""The audio tokens of a first-generation checkpoint, as its own tokenization_qwen.py lists them; no code is run.

Qwen-Audio-Chat has a token more than Qwen-Audio, so that those behind it have other ids.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

FILE, LIST = "tokenization_qwen.py", "AUDIO_ST"


def audio_tokens(folder: Path) -> list[str] | None:
    """Strings of ``AUDIO_ST`` in ``folder``'s tokenization_qwen.py, in order; None where there is no such file.

    The list holds strings, names of constants or of arguments with a default, and
    ``*[f"<|{i * 0.01:.2f}|>" for i in range(3001)]`` or the like.

    Raises:
        ValueError: naming file and line, where something else stands there.
    """
    file = folder / FILE
    if not file.is_file():
        return None
    tree = ast.parse(file.read_text(encoding="utf-8"), FILE)
    names = _constants(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _name(node.targets[0]) == LIST:
            try:
                return [token for item in node.value.elts for token in _strings(item, names)]
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ValueError(f"{file}, line {node.lineno}: {LIST} is no plain list of tokens") from error
    raise ValueError(f"{file} has no list {LIST}; fetch the checkpoint's own again")


def _constants(tree: ast.Module) -> dict:
    """Name -> value of the module's literals, and of arguments whose default is one."""
    found = {}
    pairs = [(_name(node.targets[0]), node.value) for node in tree.body if isinstance(node, ast.Assign)]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__" and node.args.defaults:
            given = node.args.args[-len(node.args.defaults) :]
            pairs += [(argument.arg, default) for argument, default in zip(given, node.args.defaults)]
    for name, value in pairs:
        try:
            found[name] = ast.literal_eval(value)
        except ValueError:  # computed: no constant
            continue
    return found


def _name(node: ast.expr) -> str | None:
    """``AUDIO_ST`` of ``AUDIO_ST`` and of ``self.AUDIO_ST``."""
    return getattr(node, "id", None) or getattr(node, "attr", None)


def _strings(item: ast.expr, names: dict) -> Iterator[str]:
    if isinstance(item, ast.Constant):
        yield item.value
    elif isinstance(item, ast.Name):
        yield names[item.id]
    else:
        (loop,) = item.value.generators
        for value in _values(loop.iter, names):
            yield "".join(_written(part, value) for part in item.value.elt.values)


def _values(node: ast.expr, names: dict):
    """What a loop runs over: ``range(3001)``, ``LANGUAGES.keys()`` or ``LANGUAGES``."""
    if isinstance(node, ast.Call) and _name(node.func) == "range":
        return range(*(ast.literal_eval(number) for number in node.args))
    return names[node.func.value.id] if isinstance(node, ast.Call) else names[node.id]


def _written(part: ast.expr, value) -> str:
    """A piece of an f-string: text, ``{i}`` or ``{i * 0.01:.2f}``."""
    if isinstance(part, ast.Constant):
        return part.value
    if isinstance(part.value, ast.BinOp):
        value = value * ast.literal_eval(part.value.right)
    return format(value, part.format_spec.values[0].value if part.format_spec else "")
