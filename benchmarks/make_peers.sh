#!/usr/bin/env bash
# Build one environment per peer in the folder given as argument; training_step.py finds it by TRUESCOPE_PEERS.
# The pinned CPU build of torch goes in first, so that no peer's wider range pulls in another.
set -euo pipefail
folder=${1:?usage: make_peers.sh FOLDER}
python=${PYTHON:-python3}
for pair in sae-lens=sae-lens==6.54.12 sparsify=eai-sparsify==1.3.3; do
    name=${pair%%=*}
    package=${pair#*=}
    [ -x "$folder/$name/bin/python" ] || "$python" -m venv "$folder/$name"
    "$folder/$name/bin/python" -m pip install --quiet "torch==2.13.0" \
        --extra-index-url "${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}"
    "$folder/$name/bin/python" -m pip install --quiet "torch==2.13.0" "$package"
    echo "Installed $package in $folder/$name"
done
