#!/bin/sh
# Install, upgrade or remove a Hải Đăng probe on Raspberry Pi OS, Debian or Ubuntu.
#
#   sudo sh install.sh                     install, or upgrade keeping configuration, spool and token
#   sudo sh install.sh --from ./dist.whl   … from a wheel or a folder instead of the package index
#   sudo sh install.sh --uninstall         remove the program; configuration, spool and token stay
#   sudo sh install.sh --purge             remove everything, records that wait too
#
# --root DIR works under another root and touches neither users nor systemd: for images, and for tests.
set -eu

# One function, called on the last line: a script that was cut on its way does nothing.
main() {

what=install from=haidang root=
while [ $# -gt 0 ]; do
    case $1 in
        --from) from=${2:?--from needs a wheel, a folder or a requirement}; shift ;;
        --root) root=${2:?--root needs a folder}; shift ;;
        --uninstall) what=uninstall ;;
        --purge) what=purge ;;
        -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "install.sh: unknown argument $1; see --help" >&2; exit 2 ;;
    esac
    shift
done

program=$root/opt/haidang settings=$root/etc/haidang state=$root/var/lib/haidang
unit=$root/etc/systemd/system/haidang-probe.service link=$root/usr/local/bin/haidang-probe
rules=$root/etc/polkit-1/rules.d/50-haidang-probe.rules

real() { [ -z "$root" ]; }
say() { echo "haidang-probe: $*"; }
systemd() { real && command -v systemctl >/dev/null 2>&1 && [ -d /run/systemd/system ]; }

if real && [ "$(id -u)" != 0 ]; then
    echo "install.sh: run it as root: sudo sh $0" >&2
    exit 2
fi

if [ $what != install ]; then
    if systemd; then systemctl disable --now haidang-probe.service 2>/dev/null || true; fi
    rm -rf "$program" "$unit" "$link" "$rules"
    if systemd; then systemctl daemon-reload; fi
    if [ $what = purge ]; then
        rm -rf "$settings" "$state"
        if real && id haidang >/dev/null 2>&1; then userdel haidang; fi
        say "removed, with its configuration, token and records"
    else
        say "removed; $settings and $state stay (--purge removes them)"
    fi
    exit 0
fi

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "install.sh: Python 3.11 or newer is needed; Raspberry Pi OS of 2023 (bookworm) has it" >&2
    exit 1
}
"$python" -c 'import ensurepip, venv' 2>/dev/null || {
    echo "install.sh: the venv module is missing: apt install python3-venv" >&2
    exit 1
}
case $(getconf LONG_BIT) in
    64) ;;
    *) say "warning: a 32-bit system has to build some parts itself; a 64-bit one installs in a minute" ;;
esac

if real && ! id haidang >/dev/null 2>&1; then
    useradd --system --home-dir /var/lib/haidang --shell /usr/sbin/nologin haidang
    usermod -a -G dialout haidang 2>/dev/null || true
    say "user haidang made"
fi

# Beside the old program and then in its place, so that a broken download leaves the probe as it was.
rm -rf "$program.new"
mkdir -p "$(dirname "$program")" "$(dirname "$link")" "$(dirname "$unit")" "$settings" "$state"
"$python" -m venv "$program.new"
"$program.new/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir "$from"
"$program.new/bin/haidang-probe" --version >/dev/null
if systemd && systemctl is-active --quiet haidang-probe.service; then systemctl stop haidang-probe.service; fi
rm -rf "$program"
mv "$program.new" "$program"
# A venv knows its own path: its scripts are written again for the place it moved to.
"$python" -m venv --upgrade "$program"
sed -i "1s|^#!.*/haidang\.new/bin/|#!$program/bin/|" "$program"/bin/*
ln -sf "${program#"$root"}/bin/haidang-probe" "$link"

files=$("$program/bin/python" -c 'import probe.packaging as p; print(p.__path__[0])')
if [ -f "$settings/probe.toml" ]; then
    say "configuration kept; the new template is $settings/probe.toml.new"
    cp "$files/probe.toml" "$settings/probe.toml.new"
else
    cp "$files/probe.toml" "$settings/probe.toml"
fi
cp "$files/haidang-probe.service" "$unit"
if [ -d "$(dirname "$rules")" ]; then
    # ModemManager lets only an active session ask for signal values and cells; the agent has none.
    cp "$files/polkit.js" "$rules"
fi
if real; then
    chown -R haidang:haidang "$state"
    chmod 750 "$state"
fi
if systemd; then
    systemctl daemon-reload
    systemctl enable --quiet haidang-probe.service
    if [ -f "$state/token" ]; then systemctl restart haidang-probe.service; fi
fi

say "$("$program/bin/haidang-probe" --version) installed in $program"
if [ -f "$state/token" ]; then
    say "token and $(ls "$state" | grep -c '^spool' || true) spool files kept"
else
    say "next: sudo -u haidang haidang-probe enrol COLLECTOR-URL CODE, then edit $settings/probe.toml,"
    say "      then sudo systemctl start haidang-probe"
fi
}

main "$@"
