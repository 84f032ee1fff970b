#!/bin/sh
# The steps of the Docker image as commands, so that they are tested where there is no Docker, too (tests/test_docker.py).
#
#   steps.sh install         build: the packages, without what only their developers need
#   steps.sh user            build: an account without rights, and its store
#   steps.sh serve [OPTION]  the dashboard on port 8501; any option of `streamlit run` may follow
#   steps.sh health [PORT]   succeeds if the dashboard answers
#   steps.sh check           serve in a temporary folder, wait until it is healthy, end it
set -eu
app=$(cd "$(dirname "$0")/.." && pwd)

install() {
    requirements=$(mktemp)
    # The wheel for the CPU leaves out what only NVIDIA's processors need. It is offered for this kind of machine, and
    # not for ARM (docs/start.md).
    case $(uname -m) in
        x86_64 | amd64) sed 's/^tensorflow>/tensorflow-cpu>/' "$app/requirements.txt" >"$requirements" ;;
        *) cp "$app/requirements.txt" "$requirements" ;;
    esac
    python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore -r "$requirements"
    rm "$requirements"
    strip "$(python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')"
}

# Remove tests and C++ headers. Bytecode stays: the image's user cannot write it, so each process would compile anew.
strip() {
    rm -rf "$1/tensorflow/include"
    find "$1" -type d -name tests -prune -exec rm -rf {} +
}

user() {
    useradd --uid 10001 --create-home student
    mkdir -p /store
    chown student: /store
}

serve() {
    mkdir -p "$MNIST_CORE_STORE"
    # the runs that ship stay in the image: a newer image brings newer ones
    if [ ! -e "$MNIST_CORE_STORE/reference" ] || [ -L "$MNIST_CORE_STORE/reference" ]; then
        ln -sfn "$app/artifacts/reference" "$MNIST_CORE_STORE/reference"
    fi
    cd "$app"
    exec python -m dashboard --server.headless true --server.address 0.0.0.0 --server.port 8501 "$@"
}

health() {
    python -c 'import sys, urllib.request as web; web.urlopen(sys.argv[1], timeout=5).close()' \
        "http://127.0.0.1:${1:-8501}/_stcore/health" 2>/dev/null
}

check() {
    folder=$(mktemp -d)
    server=
    trap '[ -z "$server" ] || kill -KILL "$server" 2>/dev/null || :; rm -rf "$folder"' EXIT
    port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    MNIST_CORE_STORE=$folder/store HOME=$folder MNIST_CORE_WARM_UP=0 \
        sh "$0" serve --server.address 127.0.0.1 --server.port "$port" >"$folder/log" 2>&1 &
    server=$!
    seconds=0
    until health "$port"; do
        seconds=$((seconds + 1))
        if ! kill -0 "$server" 2>/dev/null || [ "$seconds" -gt 90 ]; then
            cat "$folder/log"
            echo "The dashboard did not start." >&2
            exit 1
        fi
        sleep 1
    done
    [ -n "$(ls "$folder/store/reference/")" ]
    kill -TERM "$server"
    seconds=0
    while kill -0 "$server" 2>/dev/null; do
        seconds=$((seconds + 1))
        if [ "$seconds" -gt 10 ]; then
            echo "The dashboard does not end within the 10 seconds that Docker gives it." >&2
            exit 1
        fi
        sleep 1
    done
    server=
    echo "It started, was healthy and ended."
}

step=${1:-}
[ "$#" -eq 0 ] || shift
case $step in
    install | user | serve | health | check) "$step" "$@" ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
