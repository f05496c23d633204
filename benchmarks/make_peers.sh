#!/usr/bin/env bash
# Build one environment per peer in the folder given as argument; training_step.py finds it by TRUESCOPE_PEERS.
# The pinned torch goes in first, so that no peer's wider range pulls in another. TORCH_INDEX may name a further index
# with smaller, CPU-only builds; without it only pip's own index is asked, so one that cannot be reached stalls nothing.
set -euo pipefail
folder=${1:?usage: make_peers.sh FOLDER}
python=${PYTHON:-python3}
for pair in sae-lens=sae-lens==6.54.12 sparsify=eai-sparsify==1.3.3; do
    name=${pair%%=*}
    package=${pair#*=}
    [ -x "$folder/$name/bin/python" ] || "$python" -m venv "$folder/$name"
    "$folder/$name/bin/python" -m pip install --quiet "torch==2.13.0" ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"}
    "$folder/$name/bin/python" -m pip install --quiet "torch==2.13.0" "$package"
    echo "Installed $package in $folder/$name"
done
