"""What a figure was measured on: processor, cores, accelerator. Never a host's name or a path."""

import os
import platform
from pathlib import Path

import torch


def machine(device: str = "cpu") -> str:
    """Processor and cores, and the accelerator if `device` is one.

    >>> machine().endswith(("core", "cores"))
    True
    """
    count = _cores()
    cpu = f"{_processor()}, {count} core{'' if count == 1 else 's'}"
    kind = torch.device(device).type
    if kind == "cpu":
        return cpu
    name = torch.cuda.get_device_name(torch.device(device)) if kind == "cuda" else kind
    return f"{name}; {cpu}"


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # only Linux has it
        text = ""
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return " ".join(names[0].split()) if names else platform.processor() or platform.machine()
