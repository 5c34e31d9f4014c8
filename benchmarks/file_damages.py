"""Ways in which a file of an estimator can be damaged, by accident or on purpose.

Accidents change bytes. What is done on purpose has a right check sum: only what the reader checks
besides can stop it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from skdeepclust._tensor_files import digest

__all__ = ["DAMAGES", "Damage", "Parts", "read_parts"]

_KEY = "skdeepclust"
_LENGTH = struct.Struct("<Q")
# Numbers that make trouble where a size, a place or a version is expected.
_NUMBERS = (
    0,
    -1,
    1.5,
    True,
    None,
    "1",
    2,
    255,
    2**31,
    2**40,
    2**62,
    2**63,
    2**64,
    -(2**63),
    10**30,
)
_CLASSES = (
    "os.system", "builtins.eval", "subprocess.Popen", "sklearn.cluster.KMeans", "KMeans",
    "__import__", "../_critic.ClusteringCritic", "object", "type", "Path", "",
)  # fmt: skip
_ATTRIBUTES = (
    "fit", "predict", "__class__", "__dict__", "__reduce__", "__getstate__", "get_params",
    "__sklearn_is_fitted__", "_validate_params", "_parameter_constraints",
)  # fmt: skip
_PLACES = ("../outside", "../../etc/passwd", "/etc/passwd", "C:\\outside", "file:///etc/passwd")
_BLOCK = 64


@dataclass(frozen=True)
class Parts:
    """Bytes, document and tensors of a file that is as it should be."""

    content: bytes
    document: dict[str, Any]
    tensors: dict[str, NDArray[Any]]

    @property
    def header(self) -> dict[str, Any]:
        """That of the safetensors format."""
        header: dict[str, Any] = json.loads(self.content[8 : 8 + self.header_length])
        return header

    @property
    def header_length(self) -> int:
        """Bytes of the header."""
        return int(_LENGTH.unpack(self.content[:8])[0])


Rng = np.random.Generator
Damage = Callable[[Parts, Rng], bytes]


def read_parts(path: Path) -> Parts:
    """Bytes, document and tensors of a file."""
    with safe_open(path, framework="numpy") as file:
        document = json.loads(file.metadata()[_KEY])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Parts(path.read_bytes(), document, tensors)


def _copy(parts: Parts) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    return json.loads(json.dumps(parts.document)), dict(parts.tensors)


def _signed(document: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> bytes:
    """A file whose check sum is right."""
    document.pop("sha256", None)
    document["sha256"] = digest(document, tensors)
    return save(tensors, {_KEY: json.dumps(document)})


def _with_header(parts: Parts, header: Any) -> bytes:
    """The file with another header, given as a text or as what JSON makes a text of."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    text += b" " * (-len(text) % 8)
    return _LENGTH.pack(len(text)) + text + parts.content[8 + parts.header_length :]


def _pick(rng: Rng, values: Any) -> Any:
    values = list(values)
    return values[int(rng.integers(len(values)))]


def _flipped_bits(parts: Parts, rng: Rng) -> bytes:
    damaged = bytearray(parts.content)
    # Half of them in the header, which is a small part of the file.
    end = 8 + parts.header_length if rng.uniform() < 0.5 else len(damaged)
    for place in rng.integers(end, size=int(rng.integers(1, 9))):
        damaged[place] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def _truncated(parts: Parts, rng: Rng) -> bytes:
    return parts.content[: int(rng.integers(len(parts.content)))]


def _overwritten(parts: Parts, rng: Rng) -> bytes:
    damaged, start = bytearray(parts.content), int(rng.integers(len(parts.content)))
    length = len(damaged[start : start + int(rng.integers(1, _BLOCK))])
    damaged[start : start + length] = rng.bytes(length) if rng.uniform() < 0.5 else bytes(length)
    return bytes(damaged)


def _shifted(parts: Parts, rng: Rng) -> bytes:
    """Bytes lost, added or doubled in the middle or at the end."""
    content, length = parts.content, int(rng.integers(1, _BLOCK))
    place = int(rng.integers(len(content) + 1))
    more = _pick(rng, (b"", bytes(length), rng.bytes(length), content[place : place + length]))
    return content[:place] + more + content[place + (0 if more else length) :]


def _swapped_tensors(parts: Parts, rng: Rng) -> bytes:
    document, tensors = _copy(parts)
    first, second = (_pick(rng, tensors) for _ in range(2))
    same = [n for n in tensors if _outline(tensors[n]) == _outline(tensors[first]) and n != first]
    second = _pick(rng, same) if same else second
    tensors[first], tensors[second] = tensors[second], tensors[first]
    return save(tensors, {_KEY: json.dumps(document)})


def _outline(tensor: NDArray[Any]) -> tuple[Any, ...]:
    return tensor.dtype, tensor.shape


def _other_shape(parts: Parts, rng: Rng) -> bytes:
    """A tensor of another shape or type, or none, or one too many."""
    document, tensors = _copy(parts)
    name = _pick(rng, tensors)
    changed = [
        tensors[name].reshape(-1)[1:],
        tensors[name][None],
        tensors[name].astype(np.int8),
        np.zeros((0, 2**40), dtype=np.float32),
    ]
    choice = int(rng.integers(len(changed) + 2))
    if choice < len(changed):
        tensors[name] = changed[choice]
    elif choice == len(changed):
        del tensors[name]
    else:
        tensors[_pick(rng, _PLACES)] = np.zeros(3, dtype=np.float32)
    return save(tensors, {_KEY: json.dumps(document)})


def _header_length(parts: Parts, rng: Rng) -> bytes:
    length = _pick(rng, [0, 1, 7, 2**20, 99_999_999, 100_000_001, 2**31, 2**63, 2**64 - 1])
    return _LENGTH.pack(length) + parts.content[8:]


def _declared_sizes(parts: Parts, rng: Rng) -> bytes:
    """Shapes, offsets and types in the header that the data do not bear out."""
    header = parts.header
    name = _pick(rng, [n for n in header if n != "__metadata__"])
    entry = header[name]
    number = _pick(rng, _NUMBERS)
    key = _pick(rng, ("shape", "data_offsets", "dtype"))
    if key == "shape":
        entry["shape"] = [number] * int(rng.integers(1, 4))
        if rng.uniform() < 0.5:  # nothing at all, but of a huge shape
            entry["shape"] += [0]
            entry["data_offsets"] = [entry["data_offsets"][0]] * 2
    elif key == "data_offsets":
        entry["data_offsets"][int(rng.integers(2))] = number
    else:
        entry["dtype"] = _pick(rng, ("BF16", "F8_E4M3", "F64", "I8", "C64", "F4", "F32 ", "", 3))
    return _with_header(parts, header)


def _hostile_header(parts: Parts, rng: Rng) -> bytes:
    """JSON in the header that no program would write."""
    text = json.dumps(parts.header)
    kind = int(rng.integers(5))
    if kind == 0:
        deep = "[" * int(10 ** rng.uniform(1, 5))
        return _with_header(parts, text[:-1] + f', "deep": {deep}' + "}")
    if kind == 1:
        return _with_header(parts, "{" + text[1:-1] + ", " + text[1:])
    if kind == 2:
        return _with_header(parts, {**parts.header, "__metadata__": {_KEY: _pick(rng, _NUMBERS)}})
    if kind == 3:
        return _with_header(
            parts, _pick(rng, ("", "[]", "null", "NaN", "{", '{"a": NaN}', "\ud7ff"))
        )
    names = {f"{_pick(rng, _PLACES)}{i}": v for i, v in enumerate(parts.header.values())}
    return _with_header(parts, names)


def _other_text(parts: Parts, rng: Rng) -> bytes:
    """A description that is none, or not the one that was signed."""
    text = json.dumps(parts.document)
    place = int(rng.integers(len(text)))
    texts = ["", "{}", "[]", "null", "3", '"x"', text[:place], text[place:], text * 2]
    return save(parts.tensors, {_pick(rng, (_KEY, "format")): _pick(rng, texts)})


def _other_format(parts: Parts, rng: Rng) -> bytes:
    document, tensors = _copy(parts)
    document["format"] = _pick(rng, (*_NUMBERS, float("nan"), float("inf"), [1], {"a": 1}))
    if rng.uniform() < 0.2:
        del document["format"]
    return _signed(document, tensors)


def _other_version(parts: Parts, rng: Rng) -> bytes:
    """Another release that writes the same format: no damage."""
    document, tensors = _copy(parts)
    document["skdeepclust"] = _pick(rng, ("0.0.1", "9.9.9", "", None, 3, "x" * 10_000, [[[]]]))
    return _signed(document, tensors)


def _nodes(item: Any, kind: str | None = None) -> list[dict[str, Any]]:
    """All objects of a document, or those of a kind."""
    if isinstance(item, list):
        return [node for value in item for node in _nodes(value, kind)]
    if not isinstance(item, dict):
        return []
    own = [item] if "kind" in item and kind in (None, item["kind"]) else []
    return own + [node for value in item.values() for node in _nodes(value, kind)]


def _with_text(parts: Parts, text: str) -> bytes:
    """A file, signed where that is possible, in which any text stands for a parameter."""
    document, tensors = _copy(parts)
    document["estimator"]["parameters"]["verbose"] = "@text@"
    document["sha256"] = "@sum@"
    whole = json.dumps(document).replace('"@text@"', text)
    try:
        changed = json.loads(whole)
        del changed["sha256"]
        whole = whole.replace("@sum@", digest(changed, tensors))
    except (ValueError, RecursionError):
        pass
    return save(tensors, {_KEY: whole})


def _deep_nesting(parts: Parts, rng: Rng) -> bytes:
    depth = int(10 ** rng.uniform(1, 5))
    opening, closing = _pick(rng, [("[", "]"), ('{"kind": "tuple", "values": [', "]}")])
    return _with_text(parts, opening * depth + "1" + closing * depth)


def _huge_numbers(parts: Parts, rng: Rng) -> bytes:
    digits = "9" * int(10 ** rng.uniform(2, 5))
    number = _pick(rng, (digits, f"-{digits}", f"1e{digits}", "NaN", "Infinity", "-Infinity"))
    if rng.uniform() < 0.5:
        dtype = _pick(rng, ("<f8", "<i4", "|V1000000000", "<M8[D]", "O", "<U1000000000", "i4,f4"))
        value = _pick(rng, ("1000000000000", "-1", '"x"', "1e999", "[1]"))
        number = f'{{"kind": "scalar", "dtype": "{dtype}", "value": {value}}}'
    return _with_text(parts, number)


def _repeated_names(parts: Parts, rng: Rng) -> bytes:
    name = _pick(rng, ("format", "class", "estimator", "sha256", "tensors"))
    value = json.dumps(_pick(rng, (parts.document[name], 1, None)))
    text = json.dumps(parts.document)
    return save(parts.tensors, {_KEY: f'{{"{name}": {value}, {text[1:]}'})


def _other_class(parts: Parts, rng: Rng) -> bytes:
    document, tensors = _copy(parts)
    named = [node for node in _nodes(document) if "class" in node]
    _pick(rng, named)["class"] = _pick(rng, (*_CLASSES, 3, None, ["KMeans"]))
    return _signed(document, tensors)


def _other_kind(parts: Parts, rng: Rng) -> bytes:
    document, tensors = _copy(parts)
    node = _pick(rng, _nodes(document["estimator"], "estimator"))
    node["kind"] = _pick(rng, ("call", "pickle", "code", "", None, 3, ["estimator"]))
    return _signed(document, tensors)


def _other_attribute(parts: Parts, rng: Rng) -> bytes:
    document, tensors = _copy(parts)
    node = _pick(rng, _nodes(document["estimator"], "estimator"))
    place = _pick(rng, ("attributes", "parameters"))
    names = _ATTRIBUTES if place == "attributes" else (*_ATTRIBUTES, "colour", "deep__name")
    node[place][_pick(rng, names)] = _pick(rng, (3, None, {"kind": "path", "name": "x"}))
    return _signed(document, tensors)


def _huge_layers(parts: Parts, rng: Rng) -> bytes:
    """Layers of sizes that no weights in the file account for."""
    document, tensors = _copy(parts)
    node = _pick(rng, _nodes(document["estimator"], "network"))
    numbers = [
        pair
        for plan in _nodes(node["plan"], "dict")
        for pair in plan["items"]
        if type(pair[1]) is int
    ]
    _pick(rng, numbers)[1] = _pick(rng, (*_NUMBERS, 30_000, 100_000, 10**6, 10**9))
    return _signed(document, tensors)


def _huge_strings(parts: Parts, rng: Rng) -> bytes:
    width = _pick(rng, (10**5, 10**7, 10**9, 10**12))
    strings = {
        "kind": "strings",
        "dtype": _pick(rng, (f"<U{width}", f"|S{width}", f"|V{width}", "<M8[D]", "i4,f4")),
        "shape": [int(_pick(rng, (1, 3, -1, 2**40)))],
        "values": ["a"] * int(rng.integers(1, 2_000)),
    }
    document, tensors = _copy(parts)
    document["estimator"]["attributes"]["more_"] = strings
    return _signed(document, tensors)


def _tensor_many_times(parts: Parts, rng: Rng) -> bytes:
    """One tensor that is asked for again and again, or one that lies outside."""
    document, tensors = _copy(parts)
    tensors["bomb"] = np.zeros(10_000)
    names = ["bomb"] * 5_000 if rng.uniform() < 0.5 else [_pick(rng, _PLACES)]
    arrays = [{"kind": "array", "name": name, "order": "C"} for name in names]
    document["estimator"]["attributes"]["more_"] = arrays
    document["tensors"]["bomb"] = ["float64", 10_000]
    return _signed(document, tensors)


def _random_state(parts: Parts, rng: Rng) -> bytes:
    """A generator that would draw from beyond its state."""
    document, tensors = _copy(parts)
    n_words = int(_pick(rng, (624, 624, 10, 0, 5_000)))
    position = _pick(rng, (-1, 625, 10**6, 2**31, -(10**9), "1", None)) if n_words == 624 else 3
    tensors["words"] = rng.integers(2**32, size=n_words).astype(np.uint32)
    document["tensors"]["words"] = ["uint32", n_words]
    words = {"kind": "array", "name": "words", "order": "C"}
    state = ["MT19937", words, position, 0, 0.0]
    document["estimator"]["parameters"]["random_state"] = {
        "kind": "random_state",
        "name": "random_state",
        "state": state,
    }
    return _signed(document, tensors)


def _no_estimator(parts: Parts, rng: Rng) -> bytes:
    document, tensors = _copy(parts)
    record = {"kind": "record", "class": "ScoredClustering", "fields": {"labels": 1, "score": 2}}
    document["estimator"] = _pick(rng, (None, 3, "x", [], [document["estimator"]], record, {}))
    return _signed(document, tensors)


DAMAGES: dict[str, Damage] = {
    "bits flipped": _flipped_bits,
    "truncated": _truncated,
    "block overwritten": _overwritten,
    "bytes lost or added": _shifted,
    "tensors swapped": _swapped_tensors,
    "tensor of another shape": _other_shape,
    "length of the header": _header_length,
    "sizes in the header": _declared_sizes,
    "hostile header": _hostile_header,
    "another description": _other_text,
    "signed: another format": _other_format,
    "signed: another version": _other_version,
    "signed: deep nesting": _deep_nesting,
    "signed: huge numbers": _huge_numbers,
    "signed: repeated names": _repeated_names,
    "signed: class from outside": _other_class,
    "signed: unknown kind": _other_kind,
    "signed: unknown attribute": _other_attribute,
    "signed: huge layers": _huge_layers,
    "signed: huge strings": _huge_strings,
    "signed: tensor many times": _tensor_many_times,
    "signed: random state": _random_state,
    "signed: no estimator": _no_estimator,
}
"""By name; each makes the bytes of a damaged file of those of a good one."""
