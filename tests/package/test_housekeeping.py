"""What contributors and citers find: changelog, citation, forms, hooks and how-tos that hold."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.version import Version

from dualcost import __version__

ROOT = Path(__file__).parents[2]
FORMS = ROOT / ".github/ISSUE_TEMPLATE"
# a file, and the published schema that it must follow
SCHEMAS = {
    "CITATION.cff": "citation-file-format",
    ".github/ISSUE_TEMPLATE/wrong-count.yml": "github-issue-forms",
    ".github/ISSUE_TEMPLATE/bug.yml": "github-issue-forms",
    ".github/ISSUE_TEMPLATE/feature.yml": "github-issue-forms",
    ".github/ISSUE_TEMPLATE/config.yml": "github-issue-config",
    "action.yml": "github-actions",
    "docs/examples/gate/.github/workflows/cost.yml": "github-workflows",
    "docs/examples/gate/.gitlab-ci.yml": "gitlab-ci",
}
# of Keep a Changelog
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
RELEASE = re.compile(r"(\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)")


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def tried(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )


# --- files that other programs read


def follows(schema: str, *paths: str | Path) -> subprocess.CompletedProcess[str]:
    words = ("--builtin-schema", f"vendor.{schema}", "--force-filetype", "yaml")
    return tried("check_jsonschema", *words, *map(str, paths))


@pytest.mark.parametrize("schema", sorted(set(SCHEMAS.values())))
def test_a_file_for_other_programs_follows_their_schema(schema: str) -> None:
    done = follows(schema, *(name for name, its in SCHEMAS.items() if its == schema))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_that_does_not_follow_its_schema_would_be_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / "CITATION.cff"
    wrong.write_text(
        (ROOT / "CITATION.cff").read_text().replace("license: Apache-2.0", "licence: A")
    )
    done = follows("citation-file-format", wrong)
    assert done.returncode == 1
    assert "'licence' was unexpected" in done.stdout


def test_every_form_is_held_against_a_schema() -> None:
    assert {path.name for path in FORMS.iterdir()} == {
        Path(name).name for name in SCHEMAS if "ISSUE_TEMPLATE" in name
    }


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("validate-config", [".pre-commit-config.yaml"]),
        ("validate-manifest", [".pre-commit-hooks.yaml"]),
    ],
)
def test_pre_commit_takes_its_files(command: str, names: list[str]) -> None:
    done = tried("pre_commit", command, *names)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hooks_of_this_repository_are_what_ci_checks() -> None:
    (local,) = read(".pre-commit-config.yaml")["repos"]
    ci = (ROOT / ".ci/run").read_text()
    for hook in local["hooks"]:
        assert hook["language"] == "system"  # the tools of this environment, and no network
        assert f"\n{hook['entry'].removesuffix(' --fix')}" in ci


# --- forms


def test_reports_of_bugs_say_what_was_installed_and_wrong_counts_what_verify_says() -> None:
    from dualcost.cli import COMMANDS

    asked = {
        path.stem: set(re.findall(r"`dualcost (\w+)`", path.read_text()))
        for path in FORMS.iterdir()
    }
    assert set().union(*asked.values()) <= set(COMMANDS)
    assert asked["bug"] == {"info"}
    assert asked["wrong-count"] == {"info", "verify"}


def test_every_field_of_a_form_has_a_name_and_the_facts_of_a_bug_are_required() -> None:
    for name in ("wrong-count", "bug", "feature"):
        fields = read(f".github/ISSUE_TEMPLATE/{name}.yml")["body"]
        named = [field["id"] for field in fields if field["type"] != "markdown"]
        assert len(named) == len(set(named)) >= 4
        optional = [
            field["id"]
            for field in fields
            if field["type"] == "textarea" and not field.get("validations", {}).get("required")
        ]
        assert optional == (["today", "source"] if name == "feature" else [])


# --- versions, releases, citation


def releases(changelog: str) -> list[tuple[Version, date]]:
    """The versions and dates of the releases, latest first; every heading must be well-formed."""
    headings = re.findall(r"^(#+) (.*)$", changelog, re.MULTILINE)
    assert headings[:2] == [("#", "Changes"), ("##", "Unreleased")]
    found = []
    for level, text in headings[2:]:
        if level == "##":
            match = RELEASE.fullmatch(text)
            assert match, f"“{text}” is not “1.2.3 - 2026-11-30”"
            found.append((Version(match[1]), date.fromisoformat(match[2])))
        else:
            assert (level, text in SECTIONS) == ("###", True), text
    for later, earlier in pairwise(found):
        assert later[0] > earlier[0] and later[1] >= earlier[1]
    return found


def test_the_changelog_keeps_its_form_and_its_last_release_is_this_version_or_before() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    found = releases(changelog)
    assert not found or found[0][0] <= Version(__version__)
    _, _, entries = changelog.partition("\n## ")
    for line in entries.splitlines()[1:]:
        assert not line or line.startswith(("#", "- ", "  ")), line


@pytest.mark.parametrize(
    "headings",
    [
        ["## 1.0.0 - 2026-01-01", "## Unreleased"],
        ["## Unreleased", "## 1.0"],
        ["## Unreleased", "## 1.0.0 - 2026-13-01"],
        ["## Unreleased", "## 1.0.0 - 2026-01-01", "## 1.1.0 - 2026-02-01"],
        ["## Unreleased", "## 1.1.0 - 2026-01-01", "## 1.0.0 - 2026-02-01"],
        ["## Unreleased", "### New"],
    ],
)
def test_a_changelog_out_of_form_would_be_noticed(headings: list[str]) -> None:
    with pytest.raises((AssertionError, ValueError)):
        releases("\n\n".join(["# Changes", *headings]))


def test_releases_are_read_with_their_versions_and_days() -> None:
    headings = ("# Changes", "## Unreleased", "### Fixed", "## 1.10.0 - 2026-02-01", "### Added")
    text = "\n\n".join([*headings, "## 1.9.0 - 2026-02-01"])
    day = date(2026, 2, 1)
    assert releases(text) == [(Version("1.10.0"), day), (Version("1.9.0"), day)]


def test_the_citation_is_of_this_version_and_names_the_paper_of_the_equations() -> None:
    citation = read("CITATION.cff")
    assert citation["version"] == __version__
    assert citation["type"] == "software"
    assert citation["license"] in (ROOT / "pyproject.toml").read_text()
    (paper,) = citation["references"]
    readme = (ROOT / "README.md").read_text()
    assert paper["doi"] in readme
    assert paper["title"] in " ".join(readme.replace("> ", "").split())
    found = releases((ROOT / "CHANGELOG.md").read_text())
    # the day is there once this version is released, and not before
    assert citation.get("date-released") == dict(found).get(Version(__version__))


# --- how-tos


def test_every_file_that_a_how_to_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"\b(?:tests|scripts|dualcost)/[\w/.]*\w\b", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_a_how_to_names_tables_that_stand_where_it_says() -> None:
    for name, words in {
        "dualcost/kinds/kinds.py": ("KINDS",),
        "tests/support/witnesses.py": ("WITNESSES",),
        "tests/kinds/test_kinds.py": ("uses", "tensors", "additions"),
        "tests/costs/test_profile.py": ("by_hand",),
        "dualcost/nn/layers/kinds.py": ("MODULES",),
        "tests/nn/layers/test_layers.py": ("SAMPLES",),
        "dualcost/network/cost.py": ("Cost",),
        "dualcost/costs/profile.py": ("_costs", "replaced_costs", "_whole"),
        "dualcost/costs/metrics.py": ("METRICS", "Whole"),
        "dualcost/rewrite/rule.py": ("NAMED_RULES", "READERS", "value"),
        "dualcost/render/check/__init__.py": ("FORMS", "written"),
        "dualcost/cli/output.py": ("Form", "ENDINGS"),
        "dualcost/library/catalogue.py": ("LIBRARIES",),
        "dualcost/nn/sources/sources.py": ("FINDERS",),
        "dualcost/nn/convert/script.py": ("_builder",),
        "dualcost/network/ops.py": ("_OPERATORS",),
        "dualcost/nn/trace/ops.py": ("_PRODUCTS",),
        "tests/support/ops.py": ("CASES",),
    }.items():
        text = (ROOT / name).read_text()
        for word in words:
            assert f"`{word}`" in (ROOT / "CONTRIBUTING.md").read_text()
            assert re.search(rf"^ *(def |class )?{word}\b", text, re.MULTILINE), (name, word)
