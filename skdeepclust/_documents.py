"""Estimators as JSON documents and named arrays, and back.

Numbers, strings, None and lists stand for themselves in a document; all else is an object whose
"kind" says how to read it. What may be in a document is listed here: whoever adds an estimator
adds its class, and the classes of the records among its attributes, to `_CLASSES`.
"""

from __future__ import annotations

import copy
import dataclasses
from importlib import import_module
from math import isfinite
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from torch import nn

from ._layers import build_layer, check_sizes, describe, fill
from .critic._network import CriticNetwork
from .networks import EncoderNetwork

__all__ = ["DocumentReader", "DocumentWriter", "is_known"]

# Estimators and records (dataclasses, named tuples) and where they are defined. Nothing but
# these is ever imported or called on behalf of a file.
_CLASSES = {
    "DeepMetricClusterer": "skdeepclust._metric_clusterer",
    "ClusteringCritic": "skdeepclust._critic",
    "CriticClusterer": "skdeepclust._critic_clusterer",
    "ConvEncoder": "skdeepclust.networks",
    "LinearEncoder": "skdeepclust.networks",
    "MLPEncoder": "skdeepclust.networks",
    "ModuleEncoder": "skdeepclust.networks",
    "FrozenEstimator": "sklearn.frozen",
    "InputScaling": "skdeepclust.training",
    "Moments": "skdeepclust.training",
    "ScoredClustering": "skdeepclust.search",
}
_DTYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64".split()
)
# An array of strings has room for its longest one in every entry: a short text could ask for any
# amount of memory.
_MAX_STRING_BYTES = 2**26
# Words of the state of a Mersenne twister, and where the next one is taken from.
_STATE_WORDS = 624


def is_known(value: Any) -> bool:
    """Whether a document can name the class of an estimator or a record."""
    name = type(value).__name__
    return name in _CLASSES and type(value) is _class(name)


def _class(name: str) -> type:
    if name not in _CLASSES:
        raise ValueError(f"it holds the class {name!r}: one of {sorted(_CLASSES)} is wanted.")
    found: type = getattr(import_module(_CLASSES[name]), name)
    return found


class DocumentWriter:
    """Turn an estimator into a document and tensors.

    Parameters
    ----------
    title : str
        What messages call the estimator.

    Attributes
    ----------
    tensors : dict of str to ndarray
        Arrays and weights, in C order.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.tensors: dict[str, NDArray[Any]] = {}
        self._module: nn.Module | None = None
        self._random_states: dict[int, str] = {}
        self._string_bytes = 0

    def write(self, value: Any, name: str = "") -> Any:
        """The document of a value; `name` says where in the estimator it is."""
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if isfinite(value) else {"kind": "float", "value": repr(value)}
        if type(value) is list:
            return [self.write(v, _join(name, i)) for i, v in enumerate(value)]
        if type(value) is tuple:
            return {"kind": "tuple", "values": self.write(list(value), name)}
        if type(value) is dict:
            items = [[self.write(k, name), self.write(v, _join(name, k))] for k, v in value.items()]
            return {"kind": "dict", "items": items}
        return self._object(value, name)

    def _object(self, value: Any, name: str) -> dict[str, Any]:
        if isinstance(value, np.ndarray):
            return self._array(value, name)
        if isinstance(value, np.str_) or (
            isinstance(value, np.generic) and value.dtype.name in _DTYPES
        ):
            return {"kind": "scalar", "dtype": value.dtype.str, "value": self.write(value.item())}
        if isinstance(value, nn.Module):
            return self._network(value, name)
        if isinstance(value, torch.Tensor):
            return {"kind": "tensor", "array": self._array(self._to_numpy(value, name), name)}
        if isinstance(value, torch.device):
            return {"kind": "device", "name": str(value)}
        if isinstance(value, PurePath):
            return {"kind": "path", "name": str(value)}
        if isinstance(value, np.random.RandomState):
            return self._random_state(value, name)
        if is_known(value):
            return self._known(value, name)
        raise TypeError(
            f"{self.title} cannot be saved: its {name} is {value!r}, and a file without code holds "
            "no functions and no objects of other packages."
        )

    def _known(self, value: Any, name: str) -> dict[str, Any]:
        """An estimator or a record."""
        title = type(value).__name__
        if not isinstance(value, BaseEstimator):
            fields = {f: self.write(getattr(value, f), _join(name, f)) for f in _fields(value)}
            return {"kind": "record", "class": title, "fields": fields}
        parameters = value.get_params(deep=False)
        fitted = {k: v for k, v in sorted(vars(value).items()) if k not in parameters}
        return {
            "kind": "estimator",
            "class": title,
            "parameters": {k: self.write(v, _join(name, k)) for k, v in parameters.items()},
            "attributes": {k: self.write(v, _join(name, k)) for k, v in fitted.items()},
        }

    def _array(self, array: NDArray[Any], name: str) -> dict[str, Any]:
        if array.dtype.kind in "UO":
            return self._strings(array, name)
        if array.dtype.name not in _DTYPES:
            raise TypeError(f"{self.title} cannot be saved: its {name} has dtype {array.dtype}.")
        # Products of matrices may round differently in another layout.
        order = "C" if array.flags.c_contiguous or not array.flags.f_contiguous else "F"
        while name in self.tensors:
            name += "_"
        self.tensors[name] = array.astype(array.dtype.newbyteorder("="), order="C")
        return {"kind": "array", "name": name, "order": order}

    def _strings(self, array: NDArray[Any], name: str) -> dict[str, Any]:
        self._string_bytes += array.nbytes
        if self._string_bytes > _MAX_STRING_BYTES:
            raise ValueError(
                f"{self.title} cannot be saved: with its {name} its strings take "
                f"{self._string_bytes} bytes, and a file holds {_MAX_STRING_BYTES} at most."
            )
        values = [self.write(v, name) for v in array.ravel().tolist()]
        shape = list(array.shape)
        return {"kind": "strings", "dtype": array.dtype.str, "shape": shape, "values": values}

    def _to_numpy(self, tensor: Any, name: str) -> NDArray[Any]:
        try:
            return np.asarray(tensor.detach().cpu().numpy())
        except (AttributeError, TypeError, RuntimeError) as error:
            raise TypeError(f"{self.title} cannot be saved: its {name}: {error}") from error

    def _random_state(self, state: np.random.RandomState, name: str) -> dict[str, Any]:
        """The state; once for several attributes that draw from the same one."""
        if state is check_random_state(None):
            return {"kind": "global_random_state"}
        if id(state) in self._random_states:
            return {"kind": "same_random_state", "name": self._random_states[id(state)]}
        values: Any = state.get_state(legacy=False)
        if values["bit_generator"] != "MT19937":
            raise TypeError(
                f"{self.title} cannot be saved: its {name} draws from {values['bit_generator']}, "
                "numpy.random.RandomState(seed) is wanted."
            )
        self._random_states[id(state)] = name
        legacy = list(state.get_state())
        return {"kind": "random_state", "name": name, "state": self.write(legacy, name)}

    def _network(self, network: nn.Module, name: str) -> dict[str, Any]:
        """Layers and weights of our networks, the weights alone of others."""
        is_ours = type(network) in (CriticNetwork, EncoderNetwork)
        plan = self._plan(network) if is_ours else self._plan_of_code(network)
        for key, tensor in network.state_dict().items():
            weights = self._to_numpy(tensor, _join(name, key))
            self._array(weights, _join(name, key))
        return {
            "kind": "network",
            "name": name,
            "plan": self.write(plan, name),
            "training": network.training,
        }

    def _plan(self, network: nn.Module) -> dict[str, Any]:
        if type(network) is CriticNetwork:
            return {"layer": "CriticNetwork", "arguments": network.config}
        if type(network) is EncoderNetwork:
            body, head = self._plan(network.body), self._plan(network.head)
            parts = {"body": body, "head": head, "precision": network.precision}
            return {"layer": "EncoderNetwork", **parts}
        if self._module is None or repr(network) != repr(self._module):
            plan = describe(network)
            if plan is not None:
                return plan
        return self._plan_of_code(network)

    def _plan_of_code(self, module: nn.Module) -> dict[str, Any]:
        title = f"{type(module).__module__}.{type(module).__qualname__}"
        if self._module is not None and repr(self._module) != repr(module):
            raise ValueError(
                f"{self.title} cannot be saved: its encoder is a module of another make than the "
                "one that was fitted. Fit again, or set encoder back."
            )
        self._module = module
        return {"layer": "module", "class": title}


class DocumentReader:
    """Make an estimator of a document and tensors.

    Whatever the document says, no more memory is taken than tensors and text account for.

    Parameters
    ----------
    tensors : dict of str to ndarray
        Each is used once at most.
    module : nn.Module or None
        In place of the code of a module that is not ours.

    Attributes
    ----------
    used_module : bool
        Whether something needed it.
    """

    def __init__(self, tensors: dict[str, NDArray[Any]], module: nn.Module | None) -> None:
        self.used_module = False
        self._unused = dict(tensors)
        self._module = module
        self._string_bytes = 0
        self._random_states: dict[str, np.random.RandomState] = {}
        self._readers = {
            "float": lambda item: float(item["value"]),
            "tuple": lambda item: tuple(self.read(item["values"])),
            "dict": lambda item: {self.read(k): self.read(v) for k, v in item["items"]},
            "array": lambda item: np.array(self._unused.pop(item["name"]), order=item["order"]),
            "strings": self._strings,
            "scalar": lambda item: _scalar_type(item["dtype"])(self.read(item["value"])),
            "tensor": lambda item: torch.from_numpy(self.read(item["array"])),
            "device": lambda item: torch.device(item["name"]),
            "path": lambda item: Path(item["name"]),
            "global_random_state": lambda item: check_random_state(None),
            "same_random_state": lambda item: self._random_states[item["name"]],
            "random_state": self._random_state,
            "record": self._record,
            "estimator": self._estimator,
            "network": self._network,
        }

    def read(self, item: Any) -> Any:
        """The value behind a document."""
        if isinstance(item, list):
            return [self.read(v) for v in item]
        return self._readers[item["kind"]](item) if isinstance(item, dict) else item

    def _strings(self, item: dict[str, Any]) -> NDArray[Any]:
        values, dtype = self.read(item["values"]), np.dtype(str(item["dtype"]))
        if dtype.kind not in "UO" or not isinstance(values, list):
            raise ValueError(f"it holds strings of dtype {dtype}: a list of str is wanted.")
        self._string_bytes += len(values) * dtype.itemsize
        if self._string_bytes > _MAX_STRING_BYTES:
            raise ValueError(
                f"its strings take {self._string_bytes} bytes: {_MAX_STRING_BYTES} at most are "
                "wanted."
            )
        array = np.empty(len(values), dtype=dtype)
        array[:] = values
        return array.reshape(item["shape"])

    def _random_state(self, item: dict[str, Any]) -> np.random.RandomState:
        values = tuple(self.read(item["state"]))
        keys, position = values[1:3]
        # NumPy does not check them, and would read beyond the words.
        if (
            np.shape(keys) != (_STATE_WORDS,)
            or keys.dtype != np.uint32
            or position not in range(_STATE_WORDS + 1)
        ):
            raise ValueError("it holds the state of a random generator that is none of MT19937.")
        state = np.random.RandomState(0)
        state.set_state(values)
        self._random_states[item["name"]] = state
        return state

    def _record(self, item: dict[str, Any]) -> Any:
        return _class(item["class"])(**{k: self.read(v) for k, v in item["fields"].items()})

    def _estimator(self, item: dict[str, Any]) -> Any:
        cls = _class(item["class"])
        estimator = cls(**{k: self.read(v) for k, v in item["parameters"].items()})
        for name in item["attributes"]:
            if name.startswith("__") or hasattr(cls, name) or hasattr(estimator, name):
                raise ValueError(f"it has an attribute {name!r}, which is none of a fitted {cls}.")
        vars(estimator).update({k: self.read(v) for k, v in item["attributes"].items()})
        return estimator

    def _network(self, item: dict[str, Any]) -> nn.Module:
        plan, prefix = self.read(item["plan"]), _join(item["name"], "")
        with torch.device("meta"):  # takes no memory, whatever the plan asks for
            network = self._build(plan)
        names = [name for name in self._unused if name.startswith(prefix)]
        fill(network, {name: self._unused.pop(name) for name in names}, prefix)
        return network.train(item["training"])

    def _build(self, plan: dict[str, Any]) -> nn.Module:
        if plan["layer"] == "CriticNetwork":
            if plan["arguments"].get("n_rounds", 0) > len(self._unused):
                raise ValueError("its critic has more layers than there are weights.")
            check_sizes(plan["arguments"])
            return CriticNetwork.from_config(plan["arguments"])
        if plan["layer"] == "module":
            return self._copy_of_module(plan)
        if plan["layer"] != "EncoderNetwork":
            return build_layer(plan)
        body, head = self._build(plan["body"]), self._build(plan["head"])
        if plan["body"]["layer"] == "module":
            body = body.float().cpu()
        else:  # the layout of ConvEncoder, which has no effect on other layers
            body = body.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return EncoderNetwork(body, head, plan["precision"])

    def _copy_of_module(self, plan: dict[str, Any]) -> nn.Module:
        if self._module is None:
            raise ValueError(
                f"its encoder is a module of the class {plan['class']}, of which files hold the "
                "weights only: load(path, module=...) with such a module is wanted."
            )
        self.used_module = True
        with torch.device("cpu"):
            return copy.deepcopy(self._module)


def _scalar_type(name: Any) -> Any:
    dtype = np.dtype(str(name))
    if dtype.kind != "U" and dtype.name not in _DTYPES:
        raise ValueError(f"it holds a number of dtype {dtype}: one of {sorted(_DTYPES)} is wanted.")
    return dtype.type


def _fields(record: Any) -> tuple[str, ...]:
    if dataclasses.is_dataclass(record):
        return tuple(field.name for field in dataclasses.fields(record))
    return tuple(record._fields)


def _join(name: str, part: Any) -> str:
    return f"{name}.{part}" if name else str(part)
