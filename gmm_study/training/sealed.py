"""Safetensors files with a digest of their tensors, so that damage is detected."""

import json
from collections.abc import Mapping
from hashlib import sha256

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

SEAL = "sha256"
"""The entry of a safetensors file's metadata with the digest of its tensors."""


def seal(tensors: Mapping[str, Tensor]) -> bytes:
    """The content of a safetensors file with a digest of all names, types, shapes and values."""
    on_cpu = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(on_cpu, {SEAL: _digest(on_cpu)})


def unseal(content: bytes) -> dict[str, Tensor]:
    """The tensors of such a file. Raises `ValueError` if they do not match the digest.

    A file without metadata, from before there were digests, is accepted without a check.
    """
    try:
        tensors = load(content)
        metadata = _metadata(content)
    except (SafetensorError, LookupError, RuntimeError) as error:
        raise ValueError(f"not a safetensors file: {error}") from None
    if metadata is not None and metadata.get(SEAL) != _digest(tensors):
        raise ValueError("the tensors differ from what was written: their digest is wrong")
    return tensors


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _metadata(content: bytes) -> dict[str, str] | None:
    """The metadata in the header, which `safetensors` can only read from files."""
    length = int.from_bytes(content[:8], "little")
    header: dict[str, dict[str, str]] = json.loads(content[8 : 8 + length])
    return header.get("__metadata__")
