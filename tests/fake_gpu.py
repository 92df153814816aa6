"""A GPU of which only the devices are real: PyTorch's fake tensors on `cuda`, on any machine.

A fake tensor has a shape, a type and a device, but no memory and no values. So this finds what goes
wrong on a GPU whatever the values are: tensors on different devices in one operation, generators of
another device, and places where the host waits for the GPU. It says nothing of numbers or speed.
"""

import ctypes
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

GUARDS = "_ZN3c104impl26device_guard_impl_registryE"
CUDA, META = 1, 14
"""PyTorch's table of what switches to a device, and the places of two devices in it."""
CPU_GENERATOR = torch.Generator
READS_THE_DEVICE = {
    "aten::_local_scalar_dense",
    "aten::_unique2",
    "aten::equal",
    "aten::is_nonzero",
    "aten::masked_select",
    "aten::nonzero",
    "aten::repeat_interleave",
    "aten::unique_consecutive",
    "aten::unique_dim",
}
"""Operations for whose result, or for its shape, the host waits."""
CHANGES_VALUES = {"aten::normal_", "aten::random_", "aten::uniform_"}
CHANGES_LISTS = {"aten::_fused_adam_", "aten::_fused_sgd_"}
"""Operations without a fake form, which change the values of tensors and nothing else."""


class FakeGenerator(CPU_GENERATOR):
    """A generator of the device it is asked for. The state of one of a GPU has 16 bytes."""

    state: Tensor

    def __new__(cls, device: torch.device | str = "cpu") -> torch.Generator:
        """A generator."""
        if torch.device(device).type == "cpu":
            return CPU_GENERATOR("cpu")
        return super().__new__(cls)

    def manual_seed(self, seed: int) -> torch.Generator:
        """As in PyTorch."""
        self.state = torch.tensor([seed, 0]).view(torch.uint8)
        return self

    def get_state(self) -> Tensor:
        """As in PyTorch, on the CPU."""
        return self.state.clone()

    def set_state(self, state: Tensor) -> torch.Generator:
        """As in PyTorch, which refuses the state of a generator of another kind."""
        if state.numel() != self.state.numel():
            raise RuntimeError("RNG state is wrong size")
        self.state = state.clone()
        return self


class FakeGpu(TorchDispatchMode):
    """Runs operations on `cuda` as fake ones, and all others as they are.

    `waits` has, for each time that the host waits, the function of the project that made it, and
    the operation. A captured step may neither wait nor read the host's memory. What the host reads
    is made by `values`, from a shape; else it is 0.
    """

    def __init__(self, values: Callable[[torch.Size], Tensor] = torch.zeros) -> None:
        super().__init__()
        self.values = values
        self.waits: list[str] = []
        self.captures = self.replays = 0
        self.capturing = False
        self._fake = FakeTensorMode(allow_non_fake_inputs=True)

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        target = torch.device(kwargs.get("device") or "cpu")
        on_gpu = target.type == "cuda" or any(isinstance(each, FakeTensor) for each in tensors)
        if not on_gpu:
            with unset_fake_temporarily():
                return operation(*args, **kwargs)
        name = operation._schema.name
        hosts = [each for each in tensors if not isinstance(each, FakeTensor)]
        assert not (hosts and self.capturing), f"{name}: host memory in a captured step{_place()}"
        if name in CHANGES_VALUES:
            return args[0]
        if name in CHANGES_LISTS:
            assert not hosts, f"{name}: tensors on different devices"
            return None
        if name in ("aten::_to_copy", "aten::copy_"):
            return self._copied(operation, name, args, kwargs)
        if name.startswith("aten::index") and any(isinstance(each, Tensor) for each in hosts):
            self._wait(name)  # for its indices, which are copied to the device
        if name in READS_THE_DEVICE or _chooses(name, args):
            self._wait(name)
            assert name in ("aten::_local_scalar_dense", "aten::equal"), f"{name}: shape by values"
            found = self._read(args[0])
            with unset_fake_temporarily():
                return bool(found.all()) if name == "aten::equal" else found.item()
        with self._fake:
            return operation(*args, **kwargs)

    def _copied(self, operation, name, args, kwargs):
        """A copy within the device, to it or from it."""
        in_place = name == "aten::copy_"
        source = args[in_place]
        target = args[0].device if in_place else kwargs.get("device") or source.device
        from_host = not isinstance(source, FakeTensor)
        queued = getattr(source, "is_fake_pinned", False) and kwargs.get("non_blocking")
        if target.type == "cpu" or (from_host and not queued):
            self._wait(name)
        if target.type == "cpu":
            found = self._read(source)
            with unset_fake_temporarily():
                return args[0].copy_(found) if in_place else found
        with self._fake:
            if from_host:
                source = self._fake.from_tensor(source)
            found = operation(*args[:in_place], source, *args[1 + in_place :], **kwargs)
        return args[0] if in_place else found

    def _read(self, tensor: Tensor) -> Tensor:
        with unset_fake_temporarily():
            return self.values(torch.Size(tensor.shape)).to(tensor.dtype)

    def _wait(self, name: str) -> None:
        assert not self.capturing, f"{name}: the host waits in a captured step{_place()}"
        self.waits.append(f"{name}{_place()}")

    def stream(self):
        """As in `Graphs`."""
        return nullcontext()

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """As in `Graphs`; a replay of a fake step changes nothing."""
        self.capturing = True
        try:
            work()
        finally:
            self.capturing = False
        self.captures += 1
        return self._replay

    def _replay(self) -> None:
        self.replays += 1


class _Host(TorchFunctionMode):
    """What never reaches the operations of a fake device."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is Tensor.to or "device" in kwargs:
            args, kwargs = tree_map(_numbered, (args, kwargs))
        if function is Tensor.pin_memory:
            assert not isinstance(args[0], FakeTensor), "memory of a GPU cannot be pinned"
            pinned = args[0].clone()
            pinned.is_fake_pinned = True
            return pinned
        if kwargs.get("generator") is not None:
            where = args[0].device if isinstance(args[0], Tensor) else kwargs.get("device", "cpu")
            its = "cuda" if isinstance(kwargs["generator"], FakeGenerator) else "cpu"
            assert torch.device(where).type == its, f"a generator of {its} draws on {where}"
            kwargs = kwargs | {"generator": kwargs["generator"] if its == "cpu" else None}
        if function is torch.tensor and torch.device(kwargs.get("device") or "cpu").type == "cuda":
            device = kwargs.pop("device")
            return torch.tensor(*args, **kwargs).to(device)
        return function(*args, **kwargs)


@contextmanager
def fake_gpu(values: Callable[[torch.Size], Tensor] = torch.zeros) -> Iterator[FakeGpu]:
    """Inside, there is a device `cuda`."""
    gpu = FakeGpu(values)
    with ExitStack() as stack:
        stack.enter_context(_guarded())
        stack.enter_context(patch("torch.Generator", FakeGenerator))
        stack.enter_context(patch("torch.autograd.grad", gradients))
        stack.enter_context(patch.object(FakeTensor, "tolist", lambda self: self.cpu().tolist()))
        stack.enter_context(gpu._fake)
        stack.enter_context(gpu)
        stack.enter_context(_Host())
        yield gpu


@contextmanager
def _guarded() -> Iterator[None]:
    """A build for the CPU has nothing that switches to a GPU: what does nothing takes its place.

    PyTorch puts it there itself in a build for CUDA on a machine without a GPU.
    """
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libc10.so"))
    guards = (ctypes.c_void_p * (META + 1)).in_dll(library, GUARDS)
    before = guards[CUDA]
    guards[CUDA] = before or guards[META]
    try:
        yield
    finally:
        guards[CUDA] = before


def gradients(output: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
    """As `torch.autograd.grad`, whose threads need a real GPU: calls the same functions in turn."""
    found: dict[int, Tensor] = {}
    waiting = {output.grad_fn: {0: torch.ones_like(output)}}
    while waiting:
        node = max(waiting, key=lambda each: each._sequence_nr())
        given = waiting.pop(node)
        if hasattr(node, "variable"):
            found[id(node.variable)] = sum(given.values())
            continue
        results = node(*(given.get(place) for place in range(len(node._input_metadata))))
        results = results if isinstance(results, tuple) else (results,)
        for (following, place), gradient in zip(node.next_functions, results, strict=True):
            if following is not None and gradient is not None:
                expected = following._input_metadata[place]
                assert gradient.device == expected.device, f"{node.name()}: gradient elsewhere"
                gradient = gradient.sum_to_size(expected.shape)
                known = waiting.setdefault(following, {})
                known[place] = known[place] + gradient if place in known else gradient
    return [found[id(each)] for each in inputs]


def _numbered(value):
    """The device `cuda:0` in place of `cuda`."""
    named = isinstance(value, (str, torch.device)) and str(value) == "cuda"
    return torch.device("cuda:0") if named else value


def _chooses(name: str, args) -> bool:
    """Whether elements are chosen by truth values, so that their number is not known."""
    if name not in ("aten::index", "aten::index_put", "aten::index_put_"):
        return False
    return any(isinstance(each, Tensor) and each.dtype == torch.bool for each in args[1])


def _place() -> str:
    """The innermost function of the project that is running."""
    frame = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if "/gmm_study/" in path:
            place = path.rpartition("/gmm_study/")[2]
            return f" in {place}:{frame.f_lineno} ({frame.f_code.co_name})"
        frame = frame.f_back
    return ""
