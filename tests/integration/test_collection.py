"""The Ansible collection: what is in it, and that its roles work by their full names in a project of somebody else."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from role_nodes import REPOSITORY

from e2e_ansible.content import content_files

NAME = "e2e_ansible.core"
FOLDER = "ansible_collections/e2e_ansible/core"
TOP = {
    "CHANGELOG.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "meta",
    "playbooks",
    "plugins",
    "roles",
}
SECTIONS = ("pre_tasks", "tasks", "post_tasks")
ACTIONS = sorted(path.stem for path in (REPOSITORY / "plugins/action").glob("*.py"))


@dataclass
class Project:
    """A folder that knows the collection, and nothing of this checkout."""

    folder: Path
    python_path: str = str(REPOSITORY)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def call(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command of Ansible; both outputs are in stdout."""
        own = {"PYTHONPATH": self.python_path, "ANSIBLE_NOCOLOR": "1", "HOME": str(self.folder)}
        foreign = {
            key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "E2E_"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "ansible", *command],
            cwd=self.folder,
            env={**foreign, **own, "E2E_ANSIBLE_HOME": str(self.folder / "home"), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert "Traceback" not in done.stdout, done.stdout
        return done

    def play(self, role: str, *options: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """A playbook of one role, on this machine unless an inventory is given."""
        use = {"role": role, "vars": variables}
        play = {"hosts": "all", "gather_facts": False, "roles": [use]}
        self.write("play.yml", yaml.safe_dump([play]))
        return self.call("playbook", "play.yml", *(options or ("-i", "localhost,", "-c", "local")))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make collection` builds."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "ansible", "galaxy", "collection", "build", "--output-path", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=120)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of collections that it was installed into."""
    folder = tmp_path_factory.mktemp("collections")
    command = [
        "galaxy",
        "collection",
        "install",
        "--offline",
        "--collections-path",
        str(folder),
        str(archive),
    ]
    subprocess.run(
        [sys.executable, "-m", "ansible", *command],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder


@pytest.fixture
def project(installed: Path, tmp_path: Path) -> Project:
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\ncollections_path = {installed}\n")
    return Project(tmp_path)


@pytest.fixture
def without_package(project: Project) -> Iterator[Project]:
    """The Python package cannot be imported, also where it is installed."""
    (project.folder / "without").mkdir()
    missing = "raise ModuleNotFoundError(\"No module named 'e2e_ansible'\", name='e2e_ansible')\n"
    project.write("without/e2e_ansible.py", missing)
    project.python_path = str(project.folder / "without")
    yield project


def files(archive: Path) -> set[str]:
    with tarfile.open(archive) as tar:
        return {member.name for member in tar.getmembers() if member.isfile()}


def stands_alone(playbook: Path) -> bool:
    """Whether a playbook needs nothing but roles and what comes with Ansible: no plugins or tasks beside it."""
    plays = yaml.safe_load(playbook.read_text())
    tasks = [task for play in plays for section in SECTIONS for task in play.get(section, ())]
    names = [key for task in tasks for key in task if "." in key]
    alone = all(key.startswith("ansible.builtin.") and "include" not in key for key in names)
    return alone and len(names) == len(tasks)


# ---- what is in it


def test_it_has_all_roles_and_plugins_and_nothing_else(archive: Path) -> None:
    found = files(archive)
    content = {path.as_posix() for path in content_files()}
    assert content <= found
    assert {name.partition("/")[0] for name in found} == TOP
    of_roles = {name for name in found - content if name.startswith(("roles/", "plugins/"))}
    assert {Path(name).name for name in of_roles} == {"README.md"}
    assert {name for name in found if name.startswith("playbooks/")} == {
        f"playbooks/{path.name}" for path in (REPOSITORY / "playbooks").glob("*.yml") if stands_alone(path)
    }
    assert {name for name in found if name.startswith("meta/")} == {"meta/runtime.yml"}


def test_a_file_that_does_not_belong_would_be_seen(tmp_path: Path) -> None:
    """The list above is held against what was really packed: a new top folder of the checkout is in the archive."""
    for name in ("README.md", "LICENSE", "galaxy.yml"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    for name in (
        "surprise/file",
        "runs/1/secret",
        ".hidden",
        "roles/one/.hidden",
        "plugins/__pycache__/x.pyc",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    command = [sys.executable, "-m", "ansible", "galaxy", "collection", "build"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    (built,) = tmp_path.glob("*.tar.gz")
    assert files(built) - TOP == {"surprise/file"}


# ---- roles and plugins by their full names


def test_every_plugin_is_documented(project: Project) -> None:
    told = project.call("doc", "--type", "module", *(f"{NAME}.{name}" for name in ACTIONS))
    assert told.returncode == 0, told.stdout
    assert all(f"> MODULE {NAME}.{name} " in told.stdout for name in ACTIONS), told.stdout
    told = project.call("doc", "--type", "inventory", f"{NAME}.e2e")
    assert told.returncode == 0, told.stdout


def test_a_role_finds_the_plugins_of_its_collection_by_short_names(project: Project) -> None:
    looked = project.play(f"{NAME}.observe", "-i", "localhost,", "-c", "local", "-v", observe_postgres=False)
    assert looked.returncode == 0, looked.stdout
    assert f"TASK [{NAME}.observe : Look at the node]" in looked.stdout
    assert '"reachable": true' in looked.stdout


def test_a_role_of_the_collection_still_refuses_the_controller(project: Project) -> None:
    refused = project.play(f"{NAME}.crash_node")
    assert refused.returncode == 2, refused.stdout
    assert "refused: localhost is reached by the local connection" in refused.stdout


def test_the_inventory_plugin_and_node_power_work_by_their_full_names(project: Project) -> None:
    project.write("hosts.ini", "alpha ansible_host=203.0.113.11\n")
    project.write("static.e2e.yml", f"plugin: {NAME}.e2e\nprovider: static\n")
    play = {
        "hosts": "power_unknown",
        "gather_facts": False,
        "roles": [{"role": f"{NAME}.node_power", "vars": {"node_power_operation": "state"}}],
    }
    project.write("play.yml", yaml.safe_dump([play]))
    done = project.call("playbook", "play.yml", "-i", "static.e2e.yml", E2E_STATIC_INVENTORY="hosts.ini")
    assert done.returncode == 0, done.stdout
    assert "alpha is unknown" in done.stdout


def test_a_playbook_of_the_collection_runs_by_its_full_name(project: Project) -> None:
    done = project.call("playbook", f"{NAME}.observe", "-i", "localhost,", "-c", "local")
    assert done.returncode == 0, done.stdout
    assert "observe : Look at the node" in done.stdout


def test_a_module_runs_by_its_full_name(project: Project) -> None:
    module = ["-m", f"{NAME}.plain_command", "-a", '{"argv": ["echo", "said"], "timeout_seconds": 5}']
    done = project.call("adhoc", "localhost", "-c", "local", *module)
    assert done.returncode == 0 and "said" in done.stdout, done.stdout


# ---- without the Python package


@pytest.mark.parametrize("name", ACTIONS)
def test_a_plugin_says_that_the_python_package_is_missing(without_package: Project, name: str) -> None:
    done = without_package.call("adhoc", "localhost", "-c", "local", "-m", f"{NAME}.{name}")
    assert done.returncode == 2, done.stdout
    assert "the Python package e2e-ansible is needed beside Ansible" in done.stdout
    assert "No module named 'e2e_ansible'" in done.stdout.replace("\\u0027", "'")


def test_the_inventory_plugin_says_that_the_python_package_is_missing(without_package: Project) -> None:
    path = without_package.write("static.e2e.yml", f"plugin: {NAME}.e2e\nprovider: static\n")
    strict = {"ANSIBLE_INVENTORY_UNPARSED_FAILED": "True", "ANSIBLE_INVENTORY_ENABLED": f"{NAME}.e2e"}
    done = without_package.call("inventory", "-i", str(path), "--list", **strict)
    assert done.returncode != 0
    assert "the Python package e2e-ansible is needed beside Ansible" in done.stdout
