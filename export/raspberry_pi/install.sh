#!/bin/sh
# Installs speechzoo as a Wyoming service: sudo sh install.sh MODEL.tflite [GRAMMAR.npz]
# Again with another file: replaces it. Everything lies in /opt/speechzoo, /etc/default/speechzoo-wyoming and the unit.
set -eu
[ $# -ge 1 ] && [ -f "$1" ] || { echo "usage: sudo sh install.sh MODEL.tflite [GRAMMAR.npz]" >&2; exit 2; }
kit=$(cd "$(dirname "$0")" && pwd)
target=${DESTDIR:-}  # another root folder, to look at what would be installed
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' ||
    { echo "install.sh: speechzoo needs Python 3.11 or 3.12; name one: PYTHON=python3.11" >&2; exit 2; }

install -d "$target/opt/speechzoo" "$target/etc/default" "$target/etc/systemd/system"
"$python" -m venv "$target/opt/speechzoo/venv"
"$target/opt/speechzoo/venv/bin/pip" install --quiet -r "$kit/requirements.txt"
"$target/opt/speechzoo/venv/bin/pip" install --quiet --no-deps --force-reinstall "$kit/../.."  # without TensorFlow

install -m 644 "$1" "$target/opt/speechzoo/model.tflite"
options=
if [ $# -ge 2 ]; then
    install -m 644 "$2" "$target/opt/speechzoo/grammar.npz"
    options="--grammar /opt/speechzoo/grammar.npz"
fi
settings=$target/etc/default/speechzoo-wyoming
[ -e "$settings" ] || echo "OPTIONS=$options" > "$settings"
install -m 644 "$kit/speechzoo-wyoming.service" "$target/etc/systemd/system/"
[ -n "$target" ] || { systemctl daemon-reload && systemctl enable speechzoo-wyoming && systemctl restart speechzoo-wyoming; }
echo "installed; $settings has $(cat "$settings"); its log: journalctl -u speechzoo-wyoming"
