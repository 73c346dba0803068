"""One name, however it is spelt: case, hyphens and underscores make no difference."""

from __future__ import annotations


def plain(name: str) -> str:
    """What all spellings of a name have in common: "ResNet-50" and "resnet50" are one."""
    return name.lower().replace("-", "").replace("_", "")
