"""What tests of documents share: the site, built once."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.site import build


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(str(folder))
    assert done.returncode == 0, done.stderr
    return folder
