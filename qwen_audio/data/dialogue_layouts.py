"""Dialogues of other toolkits, brought into the layout of dialogue.py.

| layout | told by |
|---|---|
| LLaMA-Factory, sharegpt | ``conversations`` of ``{"from": "human" or "gpt", "value": …}``, ``audios``, ``system`` |
| LLaMA-Factory and ms-swift, messages | ``messages`` with texts alone, ``audios``, ``system`` |
| ms-swift, query | ``query``, ``response``, ``history`` of such pairs, ``audios``, ``system`` |
| Qwen2-Audio | parts ``{"type": "audio", "audio_url": PATH}`` |

In the first three, each ``<audio>`` in a user's text stands for the next of ``audios``. In our own layout no text
stands for anything but itself. In all of them what is null is absent: OpenAI's clients, and tables with a column a
key, such as Parquet's, write every key that any message has with each.
"""

PLACE = "<audio>"  # of both toolkits; in their files it is no text
UNSEEN = ("images", "videos")
SHAREGPT = {"human": "user", "gpt": "assistant"}


def own_layout(row: dict, default_id: str) -> dict:
    """``row`` in our layout: changed if it is in one of the others, else as it is.

    What is wrong with it besides the places of its audios is left to dialogue.py, which names it.

    Raises:
        ValueError: if texts and ``audios`` do not fit together, or what is no file of audio is to be heard or seen.
    """
    # audios that are null tell the layout: they are none
    row = {key: value for key, value in row.items() if value is not None or key == "audios"}
    if type(row.get("id")) is int:
        row["id"] = str(row["id"])
    if isinstance(row.get("messages"), list):
        row["messages"] = [_without_urls(_without_null(message)) for message in row["messages"]]
    for key in UNSEEN:
        if row.pop(key, None):
            raise ValueError(f"{key} cannot be seen, only audios are heard; take this dialogue out")
    if "conversations" in row:
        row = _from_sharegpt(row)
    elif "query" in row and "messages" not in row:
        row = _from_query(row)
    if "messages" in row and "system" in row:
        row = _with_system(row)
    if "audios" in row:
        row = _with_audios(row)
    elif not isinstance(row.get("messages"), list):
        return row
    elif "audio" in row and any(PLACE in str(message) for message in row["messages"]):
        raise ValueError(f"'audio' is read as a note of your own; write 'audios', a path for each {PLACE}")
    return row if "id" in row else {"id": default_id, **row}


def _from_sharegpt(row: dict) -> dict:
    turns = row["conversations"]
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise ValueError("conversations is no list of objects with 'from' and 'value'")
    messages = [{"role": _role(turn.get("from")), "content": turn.get("value")} for turn in turns]
    rest = {key: value for key, value in row.items() if key != "conversations"}
    return {"audios": [], **rest, "messages": messages}


def _role(name):
    return SHAREGPT.get(name, name) if isinstance(name, str) else name


def _from_query(row: dict) -> dict:
    history = row.get("history", [])
    if not isinstance(history, list) or not all(
        isinstance(pair, list) and len(pair) == 2 for pair in history
    ):
        raise ValueError("history is no list of pairs [query, response]")
    messages = []
    for query, response in [*history, (row["query"], row.get("response"))]:
        messages += [{"role": "user", "content": query}, {"role": "assistant", "content": response}]
    rest = {key: value for key, value in row.items() if key not in ("query", "response", "history")}
    return {"audios": [], **rest, "messages": messages}


def _with_system(row: dict) -> dict:
    rest = {key: value for key, value in row.items() if key != "system"}
    if row["system"] and isinstance(row["messages"], list):
        rest["messages"] = [{"role": "system", "content": row["system"]}, *row["messages"]]
    return rest


def _with_audios(row: dict) -> dict:
    audios, messages = row["audios"], row.get("messages")
    audios = [audios] if isinstance(audios, str) else [] if audios is None else audios
    if not isinstance(messages, list) or not isinstance(audios, list):
        raise ValueError("write 'messages' (a list of objects) and 'audios' (a list of paths)")
    waiting, changed, places = iter(audios), [], 0
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, str) and message.get("role") == "user":
            places += content.count(PLACE)
            message = {**message, "content": _parts(content, waiting)}
        changed.append(message)
    if places != len(audios):
        raise ValueError(
            f"the user's texts hold {PLACE} {places} times, audios {len(audios)} paths; write one {PLACE} for each"
        )
    return {key: value for key, value in row.items() if key != "audios"} | {"messages": changed}


def _parts(content: str, audios) -> list[dict] | str:
    """``content`` cut at its places; the line break after one is ChatML's own."""
    first, *others = content.split(PLACE)
    parts = [{"type": "text", "text": first}]
    for text in others:
        parts.append({"type": "audio", "audio": next(audios, None)})
        parts.append({"type": "text", "text": text.removeprefix("\n")})
    return [part for part in parts if part["type"] == "audio" or part["text"]] or content


def _without_null(message):
    """``message`` without what is null in it and in its parts."""
    message = _given(message)
    if isinstance(message, dict) and isinstance(message.get("content"), list):
        message["content"] = [_given(part) for part in message["content"]]
    return message


def _given(row):
    return {key: value for key, value in row.items() if value is not None} if isinstance(row, dict) else row


def _without_urls(message):
    """``message`` with ``audio`` for the key ``audio_url``."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        return message
    if any(isinstance(part, dict) and "input_audio" in part for part in message["content"]):
        raise ValueError(
            'input_audio holds the audio itself; write it to a file, and {"type": "audio", "audio": FILE} here'
        )
    parts = [
        {"type": "audio", "audio": part["audio_url"]}
        if isinstance(part, dict) and set(part) == {"type", "audio_url"} and part["type"] == "audio"
        else part
        for part in message["content"]
    ]
    return {**message, "content": parts}
