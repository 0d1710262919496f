"""docker-compose.yml and Dockerfile: what can be held without an engine."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from grafana.__main__ import FOLDER
from stack.run import PORTS, Stack
from tests.servers.found import required

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
STANDING = [name for name, service in SERVICES.items() if service.get("restart") != "no"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")


def test_compose_itself_accepts_the_file(tmp_path: Path) -> None:
    program = shutil.which("docker-compose")
    if program is None:
        assert not required(), "needs docker-compose: run .ci/servers/install"
        pytest.skip("needs docker-compose: run .ci/servers/install")
    # The old docker-compose of Debian wants to be told the format and knows no `name` on top.
    text = (ROOT / "docker-compose.yml").read_text("utf-8").replace("name: haidang\n", 'version: "3.9"\n', 1)
    (tmp_path / "docker-compose.yml").write_text(text, "utf-8")
    shutil.copytree(ROOT / "grafana" / "secrets.example", tmp_path / "grafana" / "secrets")
    done = subprocess.run([program, "config"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) <= set(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_images_are_pinned(name: str) -> None:
    tag = SERVICES[name]["image"].rpartition(":")[2]
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), SERVICES[name]["image"]


@pytest.mark.parametrize("name", STANDING)
def test_every_standing_service_is_watched_and_bounded(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory"}
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["logging"]["options"]["max-size"]
    assert "healthcheck" in service, name
    assert "privileged" not in service


def test_only_what_probes_need_listens_beyond_this_host() -> None:
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert name in ("peer", "tls") or port.startswith("127.0.0.1:"), (name, port)


def test_secrets_are_files_with_an_example_each() -> None:
    examples = {path.name for path in (FOLDER / "secrets.example").iterdir()}
    assert set(COMPOSE["secrets"]) == examples
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./grafana/secrets/{name}"}
    for service in SERVICES.values():
        told = str(service.get("environment", {})) + str(service.get("command", ""))
        assert not re.search(r"(PASSWORD|TOKEN)['\"]?: *['\"]?(?!/run/secrets)\w+", told.replace("_FILE", ""))


def test_volumes_that_are_mounted_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in COMPOSE["volumes"], volume


def test_configuration_files_name_services_that_exist(tmp_path: Path) -> None:
    text = (FOLDER / "prometheus" / "prometheus.yml").read_text("utf-8")
    text += (FOLDER / "alertmanager" / "alertmanager.yml").read_text("utf-8")
    names = set(re.findall(r"[\"/]([a-z]+):\d{4}", text)) - {"localhost"}
    assert names <= set(SERVICES)
    assert names <= set(PORTS)
    stack = Stack(tmp_path, is_free=True, tell=lambda _: None)
    stack.webhook.server.server_close()
    stack.configure()
    for path in ("prometheus.yml", "alertmanager.yml"):
        placed = (tmp_path / "configuration" / path).read_text("utf-8")
        assert not re.search(rf"({'|'.join(names)}):\d", re.sub(r"#.*", "", placed))


def test_grafana_is_the_one_the_dashboards_are_made_for() -> None:
    made_for = re.search(r"grafana-foundation-sdk==\d+!(\d+\.\d+\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert made_for is not None
    assert SERVICES["grafana"]["image"].endswith(made_for[1])


def test_dockerfile_keeps_the_rules_of_linters() -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", DOCKERFILE, re.MULTILINE)
    names = {name for _, name in stages}
    for image, _ in stages:
        assert image in names or re.fullmatch(r"[a-z]+:\d+\.\d+\.\d+-slim-bookworm", image), image
    final = DOCKERFILE[DOCKERFILE.index("AS base") :]
    assert re.search(r"^USER \d+$", final, re.MULTILINE), "a number, so that Kubernetes can see it is not root"
    assert "ADD " not in DOCKERFILE
    assert "sudo" not in DOCKERFILE
    assert not re.search(r"apt-get install(?!.*--no-install-recommends)", DOCKERFILE)
    assert "PIP_NO_CACHE_DIR=1" in DOCKERFILE
    assert all(
        line.startswith(("ENTRYPOINT [", "CMD [")) for line in re.findall(r"^(?:ENTRYPOINT|CMD).*", DOCKERFILE, re.M)
    )
    for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = line.split()
        assert all((ROOT / source).exists() for source in sources), line
    packages = re.search(r"include = \[(.*)\]", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert packages is not None
    copied = {line.split()[0] for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)}
    assert {name.strip('"* ') for name in packages[1].split(",")} <= copied


def test_what_is_secret_or_large_stays_out_of_the_image() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert {".git", ".venv", "tests", "grafana", "stack"} <= set(ignored)
