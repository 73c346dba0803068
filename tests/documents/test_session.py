"""A page that is one session: what its blocks do, and that a page which is wrong is noticed."""

from __future__ import annotations

import subprocess

import pytest
from session import MARK, is_session, rerun

PAGE = f"""{MARK}
# A page

```python title="pack/one.py"
ONE = 1
```

```python
from pack.one import ONE
open("made.txt", "w").write(str(ONE + 1))
```

```sh
rm made.txt
```

```console
$ cat made.txt && echo
2
$ echo "said" >&2; exit 3
said
$ git init --quiet . && git commit --quiet --allow-empty --message "a" && git log --format=%an
Somebody
```
"""


def test_blocks_run_in_one_folder_and_in_order() -> None:
    assert is_session(PAGE)
    assert rerun(PAGE) == PAGE


@pytest.mark.parametrize(("true", "false"), [("\n2\n", "\n3\n"), ("\nsaid\n", "\n")])
def test_what_is_not_printed_is_noticed(true: str, false: str) -> None:
    wrong = PAGE.replace(true, false)
    assert wrong != PAGE
    assert rerun(wrong) == PAGE


def test_python_that_fails_ends_it() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        rerun(PAGE.replace("ONE + 1", "TWO"))


def test_a_fault_of_dualcost_is_not_written_down() -> None:
    with pytest.raises(RuntimeError, match="dualcost itself failed"):
        rerun(f'{MARK}\n```console\n$ echo "error: dualcost itself failed: KeyError"\n```\n')


def test_every_run_has_a_folder_and_a_cache_of_its_own() -> None:
    shown = rerun(f"{MARK}\n```console\n$ ls; pwd; echo $XDG_CACHE_HOME\n```\n")
    again = rerun(shown)
    assert shown.count("\n") == again.count("\n") == 6  # nothing is there yet
    assert shown != again
