"""A checkpoint is for anyone to read: two files, and no need of this project."""

import json
from itertools import pairwise

import numpy as np
import pytest
import safetensors.numpy
import torch

from gmm_study.errors import InputError
from gmm_study.estimators import estimate_log_p
from gmm_study.models import RandomStreams
from gmm_study.training.checkpoint import checkpoint_files, open_checkpoint, resume_training
from gmm_study.training.trainer import Trainer
from tests.training.small import (
    METHODS,
    a_dataset,
    assert_same_progress,
    some_hyperparameters,
    train,
)

DATA = a_dataset()


def write_checkpoint(folder, trainer):
    for name, content in checkpoint_files(trainer).items():
        (folder / name).write_bytes(content)


def log_sigmoid(x):
    return -np.logaddexp(0.0, -x)


def log_bernoulli(target, logits):
    return (target * log_sigmoid(logits) + (1 - target) * log_sigmoid(-logits)).sum(-1)


@pytest.mark.parametrize("deterministic_layers", [0, 1])
def test_numpy_and_safetensors_alone_give_the_log_probabilities(tmp_path, deterministic_layers):
    settings = some_hyperparameters(deterministic_layers=deterministic_layers)
    trainer = train(Trainer(settings, DATA, [0, 1]))
    write_checkpoint(tmp_path, trainer)

    tensors = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    meta = json.loads((tmp_path / "meta.json").read_text())
    layers = meta["hyperparameters"]["layers"]
    inside = meta["hyperparameters"]["deterministic_layers"]

    def logits(conditional, state, replicate):
        for layer in range(inside + 1):
            weight = tensors[f"{conditional}.{layer}.weight"][replicate]
            state = state @ weight + tensors[f"{conditional}.{layer}.bias"][replicate]
            state = np.tanh(state) if layer < inside else state
        return state

    random = np.random.default_rng(0)
    states = [random.integers(0, 2, (50, n)) for n in [meta["data_dims"], *layers]]
    model = trainer.best_model()
    as_tensors = [
        torch.from_numpy(state).float().unsqueeze(1).expand(2, -1, 1, -1) for state in states
    ]
    found_p = model.score_generative(as_tensors).log_prob.squeeze(2).numpy()
    found_q = model.score_inference(as_tensors).log_prob.squeeze(2).numpy()
    for row in range(len(meta["replicates"])):
        log_p = log_bernoulli(states[-1], tensors["generative.top.logits"][row])
        log_q = 0.0
        for layer, (below, above) in enumerate(pairwise(states)):
            log_p = log_p + log_bernoulli(below, logits(f"generative.{layer}", above, row))
            log_q = log_q + log_bernoulli(above, logits(f"inference.{layer}", below, row))
        np.testing.assert_allclose(found_p[row], log_p, rtol=1e-4)
        np.testing.assert_allclose(found_q[row], log_q, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_meta_file_names_every_tensor_its_replicates_and_the_data(tmp_path, method):
    trainer = train(Trainer(some_hyperparameters(method=method), DATA, [0, 1, 4]), 1)
    write_checkpoint(tmp_path, trainer)
    tensors = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    meta = json.loads((tmp_path / "meta.json").read_text())
    assert meta["replicates"] == [0, 1, 4]
    assert meta["data_dims"] == DATA.dims
    assert meta["dataset"] == {
        "name": DATA.name,
        "sha256": DATA.sha256,
        "image_shape": None,
    }
    assert set(meta["tensors"]) == set(tensors)
    for name, tensor in tensors.items():
        assert tensor.shape == (3, *meta["tensors"][name][1:])


@pytest.mark.parametrize("method", METHODS)
def test_a_model_read_back_is_the_one_of_the_best_epoch(tmp_path, method):
    settings = some_hyperparameters(method=method, learning_rate=0.5, max_epochs=20, patience=20)
    trainer = train(Trainer(settings, DATA, [0, 1, 2]))
    write_checkpoint(tmp_path, trainer)
    model = open_checkpoint(tmp_path).model()
    for row, replicate in enumerate(trainer.replicates.values()):
        assert torch.equal(model.parameters.flat[row], replicate.best_parameters)
    assert any(r.best_epoch < r.epoch for r in trainer.replicates.values())
    test = torch.from_numpy(DATA.test)
    found, expected = (
        estimate_log_p(either, test, 20, RandomStreams(0, [0, 1, 2], "test"))["log_p"]
        for either in (model, trainer.best_model())
    )
    assert torch.equal(found, expected)


DAMAGE = {
    "an empty folder": lambda folder: [path.unlink() for path in folder.iterdir()],
    "no tensors": lambda folder: (folder / "model.safetensors").unlink(),
    "half of the tensors": lambda folder: halve(folder / "model.safetensors"),
    "half of the meta file": lambda folder: halve(folder / "meta.json"),
    "empty files": lambda folder: [path.write_bytes(b"") for path in folder.iterdir()],
    "bytes in the meta file": lambda folder: (folder / "meta.json").write_bytes(b"\xff\xfe"),
    "an empty meta file": lambda folder: (folder / "meta.json").write_text("{}"),
    "a list as the meta file": lambda folder: (folder / "meta.json").write_text("[]"),
    "other layers": lambda folder: amend(folder, hyperparameters={"layers": [5, 4]}),
    "more layers": lambda folder: amend(folder, hyperparameters={"layers": [5, 3, 2]}),
    "an unknown method": lambda folder: amend(folder, hyperparameters={"method": "rbm"}),
    "a setting unheard of": lambda folder: amend(folder, hyperparameters={"colour": "red"}),
    "fewer replicates": lambda folder: amend(folder, replicates=[0]),
    "one replicate's tensors for two": lambda folder: keep_one_replicate(folder),
}


def halve(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def amend(folder, hyperparameters=None, **entries):
    meta = json.loads((folder / "meta.json").read_text())
    meta["hyperparameters"] |= hyperparameters or {}
    (folder / "meta.json").write_text(json.dumps(meta | entries))


def keep_one_replicate(folder):
    path = folder / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    safetensors.numpy.save_file({name: tensor[:1].copy() for name, tensor in tensors.items()}, path)


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_folder_that_holds_no_checkpoint_is_refused_in_one_line(tmp_path, damage):
    write_checkpoint(tmp_path, train(Trainer(some_hyperparameters(), DATA, [0, 1]), 1))
    open_checkpoint(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError) as refusal:
        open_checkpoint(tmp_path)
    assert "\n" not in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)


def flipped(content, bit):
    """The content with one bit of it changed."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_a_changed_bit_anywhere_in_a_model_is_refused_in_one_line(tmp_path):
    write_checkpoint(tmp_path, train(Trainer(some_hyperparameters(), DATA, [0, 1]), 1))
    path = tmp_path / "model.safetensors"
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    for bit in np.random.RandomState(0).randint(8 * start, 8 * len(content), size=50):
        path.write_bytes(flipped(content, bit))
        with pytest.raises(InputError, match=r"cannot be read: .*written") as refusal:
            open_checkpoint(tmp_path)
        assert "\n" not in str(refusal.value)


def test_a_training_state_that_is_not_what_was_written_is_never_taken_up(tmp_path):
    content = checkpoint_files(train(Trainer(some_hyperparameters(), DATA, [0, 1]), 2))
    content = content["training.safetensors"]
    random = np.random.RandomState(0)
    damaged = [flipped(content, bit) for bit in random.randint(8 * len(content), size=200)]
    damaged += [content[:length] for length in random.randint(len(content), size=50)]
    damaged += [b"", content + b"0", random.bytes(1000)]
    for state in damaged:
        trainer = Trainer(some_hyperparameters(), DATA, [0, 1])
        try:
            resume_training(trainer, state)
        except ValueError:
            continue
        same = checkpoint_files(trainer)["training.safetensors"]
        assert same == content, "a blank of the header is no blank any more, and all else is whole"


def test_files_from_before_there_were_digests_are_read(tmp_path):
    trainer = train(Trainer(some_hyperparameters(), DATA, [0, 1]), 2)
    files = checkpoint_files(trainer)
    for name in ("model.safetensors", "training.safetensors"):
        files[name] = safetensors.numpy.save(safetensors.numpy.load(files[name]))
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    open_checkpoint(tmp_path)
    resumed = Trainer(some_hyperparameters(), DATA, [0, 1])
    resume_training(resumed, files["training.safetensors"])
    assert_same_progress(resumed, trainer)


def test_a_replicate_that_diverged_is_not_among_the_usable_ones(tmp_path):
    trainer = Trainer(some_hyperparameters(), DATA, [0, 1, 2])
    trainer.train_epoch()
    trainer.groups[1].model.parameters.flat.fill_(float("nan"))
    trainer.train_epoch()
    write_checkpoint(tmp_path, trainer)
    assert open_checkpoint(tmp_path).usable_replicates() == [0, 2]
    amend(tmp_path, diverged=[0, 1, 2])
    with pytest.raises(InputError, match=r"all replicates of .* diverged"):
        open_checkpoint(tmp_path).usable_replicates()


def test_a_checkpoint_that_does_not_say_what_a_picture_is_has_it_from_the_data_sets_name(tmp_path):
    write_checkpoint(tmp_path, train(Trainer(some_hyperparameters(), DATA, [0]), 1))
    assert open_checkpoint(tmp_path).image_shape is None
    amend(tmp_path, dataset={"name": "digits", "sha256": DATA.sha256})
    assert open_checkpoint(tmp_path).image_shape == (8, 8)


@pytest.mark.parametrize("dims", [-1, 0, "6", 10**9])
def test_absurd_dimensions_are_refused_before_any_memory_is_asked_for(tmp_path, dims):
    write_checkpoint(tmp_path, train(Trainer(some_hyperparameters(), DATA, [0]), 1))
    amend(tmp_path, data_dims=dims)
    with pytest.raises(InputError, match="cannot be read"):
        open_checkpoint(tmp_path)
