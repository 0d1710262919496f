"""Packaging for the field: the sample configuration, the unit, the script that installs, upgrades and removes."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

import probe.packaging
from probe.settings import Settings, load

FOLDER = Path(probe.packaging.__path__[0])
ROOT = Path(__file__).parents[3]


def uncommented() -> str:
    """The sample with every commented key switched on."""
    text = (FOLDER / "probe.toml").read_text()
    return re.sub(r"(?m)^# (\w+ = .*)$", r"\1", text)


def keys(struct: type[msgspec.Struct], prefix: str = "") -> set[str]:
    found = set()
    for field in msgspec.structs.fields(struct):
        inner = field.type
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            found |= keys(inner, f"{field.name}.")
        else:
            found.add(prefix + field.name)
    return found


def test_the_sample_configuration_is_valid_as_it_stands_and_with_every_key_on(tmp_path):
    assert load(FOLDER / "probe.toml", {}, {}).peers
    path = tmp_path / "all.toml"
    path.write_text(uncommented())
    settings = load(path, {}, {})
    assert settings.metrics.port == 9464
    assert settings.position.environment == "indoor"


def test_every_setting_is_documented():
    documented = (ROOT / "docs" / "agent.md").read_text()
    missing = sorted(key for key in keys(Settings) if f"`{key}`" not in documented)
    assert not missing


def test_the_unit_starts_what_is_installed_and_watches_it():
    unit = (FOLDER / "haidang-probe.service").read_text()
    for line in ("Type=notify", "WatchdogSec=", "Restart=always", "User=haidang", "StateDirectory=haidang",
                 "AmbientCapabilities=CAP_NET_RAW", "NoNewPrivileges=yes"):  # fmt: skip
        assert line in unit
    assert "ExecStart=/opt/haidang/bin/haidang-probe run --config /etc/haidang/probe.toml" in unit


def test_the_script_is_sound_shell():
    assert subprocess.run(["sh", "-n", FOLDER / "install.sh"]).returncode == 0
    helped = subprocess.run(["sh", FOLDER / "install.sh", "--help"], capture_output=True, text=True)
    assert "--uninstall" in helped.stdout
    wrong = subprocess.run(["sh", FOLDER / "install.sh", "--what"], capture_output=True, text=True)
    assert (wrong.returncode, "unknown argument --what" in wrong.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_upgrade_keeps_token_spool_and_configuration_and_removal_leaves_them(tmp_path):
    """The package comes from this tree, its dependencies from the index."""
    image, state = tmp_path / "image", tmp_path / "image" / "var" / "lib" / "haidang"
    state.mkdir(parents=True)
    (image / "etc" / "haidang").mkdir(parents=True)
    (state / "token").write_text('{"token":"hd_x"}')
    (state / "spool.sqlite").write_bytes(b"records")
    (image / "etc" / "haidang" / "probe.toml").write_text('peers = ["http://mine"]\n')
    (image / "opt" / "haidang").mkdir(parents=True)
    rules = image / "etc" / "polkit-1" / "rules.d"
    rules.mkdir(parents=True)
    (image / "opt" / "haidang" / "old").write_text("")
    script = ["sh", FOLDER / "install.sh", "--root", image]
    done = subprocess.run(
        [*script, "--from", ROOT],
        capture_output=True,
        text=True,
        env={"PYTHON": sys.executable, "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    program = image / "opt" / "haidang" / "bin" / "haidang-probe"
    version = subprocess.run([program, "--version"], capture_output=True, text=True)
    assert version.stdout.startswith("haidang-probe ")
    assert not (image / "opt" / "haidang" / "old").exists()
    assert (state / "token").read_text() == '{"token":"hd_x"}'
    assert (state / "spool.sqlite").read_bytes() == b"records"
    assert (image / "etc" / "haidang" / "probe.toml").read_text() == 'peers = ["http://mine"]\n'
    assert "[budget]" in (image / "etc" / "haidang" / "probe.toml.new").read_text()
    assert (image / "etc" / "systemd" / "system" / "haidang-probe.service").is_file()
    assert "org.freedesktop.ModemManager1" in (rules / "50-haidang-probe.rules").read_text()
    packages = subprocess.run([program.parent / "python", "-m", "pip", "list"], capture_output=True, text=True).stdout
    assert "numpy" not in packages
    assert subprocess.run([*script, "--uninstall"], capture_output=True).returncode == 0
    assert not program.exists()
    assert not list(rules.iterdir())
    assert (state / "token").is_file()
    assert subprocess.run([*script, "--purge"], capture_output=True).returncode == 0
    assert not state.exists()
