"""`.keras` files, read without Keras: the network by a list of what is allowed, and its weights.

Keras's own loader builds whatever a file names, and has run code of strangers in safe mode too (CVE-2025-1550,
CVE-2025-9906; CVE-2026-1669 for HDF5's external links). Nothing here imports Keras: `config.json` is read as data,
layer by layer, and anything that is not on the list is refused by its name. HDF5 is opened in memory; only the arrays
that the network needs are looked up, each stored in one piece as Keras does, so that none takes more than the file.
"""

from __future__ import annotations

import itertools
import math
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mnist_core.constants import CLASSES, IMAGE_SHAPE, INPUT_SIZE
from mnist_core.errors import ConfigError, DamagedFile
from mnist_core.experiments.configs import ModelConfig
from mnist_core.experiments.frozen import explain
from mnist_core.experiments.layers import ACTIVATIONS, LAYER_KINDS
from mnist_core.experiments.layers.base import Float32Array, KerasReader, LayerRow, Part, Shape
from mnist_core.experiments.layers.keras_chain import KerasChain, require
from mnist_core.files import open_regular, parse_json, printable, size_words

MOST_BYTES = 200 * 2**20
"""The most that the parts of a file may take together, unpacked."""
MOST_ARRAY_BYTES = MOST_BYTES
"""The most that the weights may take in memory; arrays may lie in the same place of a file."""
MOST_CONFIG_BYTES = 2**20
_MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_NO_FREE_SPACE, _UNDEFINED = 1, 2**64 - 1
_MOST_FREE_ENTRIES = 10_000
"""Of all heaps of a file together; each has one entry after Keras has written it."""
_WHOLE_IMAGE = (IMAGE_SHAPE, (*IMAGE_SHAPE, 1), (INPUT_SIZE,))
"""Shapes of one image in which a network may take it."""

LayerEntry = dict[str, Any]


def read_network(path: Path) -> ModelConfig:
    """Return the network of a `.keras` file: its layers, as far as the prediction depends on them, and its dropout.

    It takes images with values from 0 to 1, or begins with `Rescaling(1 / 255)`, and ends in a softmax over 10 classes.

    Raises
    ------
    DamagedFile
        where the file is damaged or too large, or has a layer or a setting of one that is not read here; the message
        names it.
    OSError
        where there is no file, or it may not be read.
    """
    content = _members(path, ("config.json",))["config.json"]
    called = printable(path.name)
    try:
        layers = _chain(parse_json(content))
        return _LayersReader().read(layers)
    except ConfigError as error:
        raise DamagedFile(f"{called} holds a network that is not among those that are read here: {error}") from None
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        reason = explain(error) if hasattr(error, "errors") else printable(error)  # type: ignore[arg-type]
        raise DamagedFile(f"{called} holds a network that is not among those that are read here: {reason}") from None


def read_weights(model: ModelConfig, path: Path) -> list[tuple[LayerRow, Part, list[Float32Array]]]:
    """Return every layer of `model` with its arrays of weights, float32, in Keras's order and of Keras's shapes.

    Raises
    ------
    DamagedFile
        where the file is damaged or too large; holds links to other files or places; or has weights that are not those
        of such a network.
    OSError
        where there is no file, or it may not be read.
    """
    import h5py

    called = printable(path.name)
    members = _members(path, ("model.weights.h5",))
    try:
        _check_heaps(members["model.weights.h5"])
        # not from a file object: HDF5 would call Python for every read, and go on after an error in it
        with h5py.File(h5py.h5f.open_file_image(members.pop("model.weights.h5"))) as file:
            return _arrays(model, file)
    except _WeightsFault as error:
        raise DamagedFile(f"{called} has weights that are not read: {printable(error)}") from None
    # HDF5 and h5py report damage in many kinds, SystemError and OverflowError among them, and words that help nobody
    except Exception as error:
        raise DamagedFile(
            f"{called} has weights that are not read: they are damaged ({type(error).__name__}); save the model again"
        ) from error


class _WeightsFault(ValueError):
    """What this module finds wrong with weights, in words for the person who has them."""


def _check_heaps(content: bytes) -> None:
    """Raise _WeightsFault where a list of free space within an HDF5 file does not end.

    HDF5 1.14 follows such a list until the memory is full. It is in a local heap, which holds the names of a group:
    signature, version 0, size, head of the list, and address, of 8 bytes each; an entry of the list is the place of the
    next one, 1 for none, and its size (HDF5 File Format Specification 3.0, sections II.A and III.D).
    """
    sizes, base = ((13, 24) if content[8:9] in (b"\0", b"\1") else (9, 12)) if content[:8] == _HDF5 else (0, 0)
    if not sizes or content[sizes : sizes + 2] != b"\x08\x08" or any(content[base : base + 8]):
        raise _WeightsFault("they are not an HDF5 file as Keras writes it; save the model again with model.save")
    start, entries = -1, 0
    while (start := content.find(b"HEAP\0", start + 1)) >= 0:
        head = content[start + 8 : start + 32].ljust(24, b"\0")
        size, free, address = (int.from_bytes(head[place : place + 8], "little") for place in (0, 8, 16))
        while free not in (_NO_FREE_SPACE, _UNDEFINED):
            entries += 1
            if free > min(size, len(content)) - 16 or entries > _MOST_FREE_ENTRIES:
                raise _WeightsFault("they are damaged (the list of free space does not end); save the model again")
            free = int.from_bytes(content[address + free : address + free + 8], "little")


def _members(path: Path, wanted: tuple[str, ...]) -> dict[str, bytes]:
    """Return members of the archive; none is unpacked before the sizes of all are known to be small enough."""
    called = printable(path.name)
    with open_regular(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                found: dict[str, zipfile.ZipInfo] = {}
                for member in archive.infolist():
                    name = printable(member.filename)[:80]
                    if member.filename not in _MEMBERS:
                        raise ValueError(f"it holds {name!r}; there may be {', '.join(_MEMBERS)}")
                    if name in found:
                        raise ValueError(f"it holds {name} twice")
                    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or member.flag_bits & 1:
                        raise ValueError(f"{name} is encrypted, or compressed in a way that Keras does not use")
                    found[name] = member
                total = sum(member.file_size for member in found.values())
                if total > MOST_BYTES or (
                    "config.json" in found and found["config.json"].file_size > MOST_CONFIG_BYTES
                ):
                    raise ValueError(
                        f"it would take {total / 2**20:,.0f} MB; at most {MOST_BYTES // 2**20} MB are read, "
                        f"{MOST_CONFIG_BYTES // 2**20} MB of them its configuration"
                    )
                missing = [name for name in wanted if name not in found]
                if missing:
                    raise ValueError(f"it has no {missing[0]}")
                made = {}
                for name in wanted:
                    with archive.open(found[name]) as member_file:
                        made[name] = member_file.read(found[name].file_size + 1)
                return made
        except Exception as error:  # zipfile and zlib raise many kinds
            raise DamagedFile(f"{called} is not a .keras file that can be used: {printable(error)}") from None


def _arrays(model: ModelConfig, file: Any) -> list[tuple[LayerRow, Part, list[Float32Array]]]:
    seen: Counter[str] = Counter()
    found: list[tuple[LayerRow, Part, list[Any]]] = []
    total = 0
    for row, part in model.parts():
        kind = stored_name(part.keras.name)
        stored = f"{kind}_{seen[kind]}" if seen[kind] else kind
        seen[kind] += 1
        arrays = []
        for index, shape in enumerate(part.weights):
            array = _array(file, ("layers", stored, "vars", str(index)), row.name, shape)
            total += math.prod(shape) * max(array.dtype.itemsize, np.dtype(np.float32).itemsize)
            arrays.append(array)
        found.append((row, part, arrays))
    if total > MOST_ARRAY_BYTES:
        raise _WeightsFault(
            f"they would take {size_words(total)}, and at most {size_words(MOST_ARRAY_BYTES)} are read; "
            "use a smaller network"
        )
    return [(row, part, [np.asarray(array[...], np.float32) for array in arrays]) for row, part, arrays in found]


def _array(file: Any, place: tuple[str, ...], layer: str, shape: Shape) -> Any:
    """Return an array of numbers, not read yet; raise _WeightsFault unless it is stored as Keras stores it.

    Only the groups on the way to it are opened: a file may hold many more, nested thousands deep.
    """
    import h5py

    item, called = file, "/".join(place)
    for name in place:
        link = item.get(name, getlink=True) if isinstance(item, h5py.Group) else None
        if link is None:
            raise _WeightsFault(f"{called} is missing, which layer {layer} needs")
        if not isinstance(link, h5py.HardLink):
            kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
            raise _WeightsFault(f"{called} is {kind}, or behind one; weights must be in the file itself")
        item = item[name]
    if not isinstance(item, h5py.Dataset):
        raise _WeightsFault(f"{called} is a {type(item).__name__.lower()}; layer {layer} needs an array there")
    if item.is_virtual or item.external:
        raise _WeightsFault(f"{called} is kept outside the file; weights must be in the file itself")
    if item.shape != shape or item.dtype.kind != "f":
        raise _WeightsFault(
            f"layer {layer} has other weights than its configuration says: {called} has shape {item.shape} "
            f"and dtype {item.dtype}, and it needs numbers of shape {shape}"
        )
    _refuse_storage(item, called)
    return item


def _refuse_storage(array: Any, called: str) -> None:
    """Raise _WeightsFault where reading an array may take more memory than the array: HDF5 unpacks a chunk as a whole.

    Keras stores an array in one piece, as it is; its shape is fixed.
    """
    import h5py

    remedy = "save the model with Keras's model.save, which stores arrays so"
    settings = array.id.get_create_plist()
    filters = [settings.get_filter(place)[3].decode("ascii", "replace") for place in range(settings.get_nfilters())]
    if array.chunks is not None or filters or settings.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
        size = 0 if array.chunks is None else math.prod(array.chunks) * array.dtype.itemsize
        raise _WeightsFault(
            f"{called} is stored in chunks of {size_words(size)} with the filters {', '.join(filters) or 'none'}, and "
            f"may be stored in one piece without a filter only; {remedy}"
        )
    if array.maxshape != array.shape:
        raise _WeightsFault(f"{called} may grow to {array.maxshape}, and may have shape {array.shape} only; {remedy}")
    stored = array.id.get_storage_size()
    if stored != array.nbytes:
        raise _WeightsFault(f"{called} has {stored:,} bytes in the file, and must have {array.nbytes:,}; {remedy}")


def stored_name(layer: str) -> str:
    """Return the name under which a `.keras` file holds the weights of the first layer of a class."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", layer)).lower()


def _chain(config: Any) -> list[LayerEntry]:
    """Return the layers of a network in which each follows the one before; raise ValueError for any other."""
    kind = config["class_name"]
    if kind not in ("Sequential", "Functional") or config.get("registered_name") not in (None, kind):
        raise ValueError(f"it is a {str(kind)[:80]}; Sequential and Functional models are read")
    layers: list[LayerEntry] = config["config"]["layers"]
    if not isinstance(layers, list) or not 2 <= len(layers) <= 100:
        raise ValueError("it must have 2 to 100 layers")
    if kind == "Functional":
        for first, second in itertools.pairwise(layers):
            nodes = second["inbound_nodes"]
            arguments: list[Any] = nodes[0]["args"] if len(nodes) == 1 else []
            source = arguments[0]["config"]["keras_history"][0] if len(arguments) == 1 else None
            if source != first["config"]["name"]:
                raise ValueError(f"layer {_label(second)} does not follow {_label(first)} alone; branches are not read")
    return layers


def _label(layer: LayerEntry) -> str:
    return f"{str(layer['config'].get('name'))[:60]!r} ({str(layer['class_name'])[:60]})"


class _LayersReader:
    """Reads the layers of a network: what stands in none of its layers itself, the rest by the readers of each kind."""

    def __init__(self) -> None:
        places = {name: kind.place for name, kind in LAYER_KINDS.items()}
        self.chain = KerasChain(places, ACTIVATIONS)
        self.scaled = False
        self.readers: dict[str, KerasReader] = {
            "InputLayer": self._input,
            "Rescaling": self._rescaling,
            "Reshape": self._reshape,
            **{name: read for kind in LAYER_KINDS.values() for name, read in kind.reads.items()},
            "Activation": self._activation,
            "ReLU": self._relu,
            "Softmax": self._softmax,
            "Dropout": self._dropout,
        }

    def read(self, layers: list[LayerEntry]) -> ModelConfig:
        """Return the network of these layers; raise ValueError where one is not read, by its name."""
        chain = self.chain
        for layer in layers:
            kind, options = layer["class_name"], layer["config"]
            reader = self.readers.get(kind)
            if reader is None or layer.get("module") != "keras.layers" or layer.get("registered_name"):
                raise ValueError(f"layer {_label(layer)} is not read; there may be {', '.join(self.readers)}")
            if chain.ended and kind not in ("Activation", "Softmax"):
                raise ValueError(f"layer {_label(layer)} comes after the {CLASSES} classes; these must be last")
            if chain.open not in (None, "activation", kind):
                raise ValueError(f"layer {_label(layer)} {chain.demand}")
            try:
                reader(chain, options)
            except ValueError as error:
                raise ValueError(f"layer {_label(layer)}: {error}") from None
        if not chain.ended or chain.open:
            raise ValueError(f"it does not end in a softmax over {CLASSES} classes")
        return ModelConfig.model_validate({"layers": chain.layers})

    def _input(self, chain: KerasChain, options: Mapping[str, Any]) -> None:
        shape = tuple(options["batch_shape"][1:])
        if chain.shape is not None or shape not in _WHOLE_IMAGE:
            raise ValueError(f"its shape is {shape}; an image has one of {_WHOLE_IMAGE}")
        chain.shape = shape

    def _rescaling(self, chain: KerasChain, options: Mapping[str, Any]) -> None:
        if chain.layers or self.scaled or options["offset"] != 0 or not math.isclose(options["scale"], 1 / 255):
            raise ValueError("it must be 1 / 255, without an offset, and the first layer")
        self.scaled = True

    def _reshape(self, chain: KerasChain, options: Mapping[str, Any]) -> None:
        shape = tuple(options["target_shape"])
        if chain.layers or shape not in _WHOLE_IMAGE:
            raise ValueError(f"it makes {shape}; only the image may be reshaped, to one of {_WHOLE_IMAGE}")
        chain.shape = shape

    def _activation(self, chain: KerasChain, options: Mapping[str, Any]) -> None:
        chain.close(options["activation"])

    def _relu(self, chain: KerasChain, options: Mapping[str, Any]) -> None:
        require(options, max_value=None, negative_slope=0.0, threshold=0.0)
        chain.close("relu")

    def _softmax(self, chain: KerasChain, options: Mapping[str, Any]) -> None:
        if options["axis"] != -1:
            raise ValueError("its axis must be -1")
        chain.close("softmax")

    def _dropout(self, chain: KerasChain, options: Mapping[str, Any]) -> None:
        chain.need_nothing_open()
        # a dropout of single values after a flatten does what one before it does
        able = next((layer for layer in reversed(chain.layers) if not LAYER_KINDS[layer["kind"]].passes_dropout), None)
        if able is None or "dropout" not in LAYER_KINDS[able["kind"]].model_fields or "dropout" in able:
            *names, last = [kind.label.lower() for kind in LAYER_KINDS.values() if "dropout" in kind.model_fields]
            raise ValueError(f"it must follow a {', '.join(names)} or {last} without one")
        able["dropout"] = options["rate"]
