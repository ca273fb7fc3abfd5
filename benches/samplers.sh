#!/usr/bin/env bash
# Steps against error and seconds for every sampler, as painted, on the validation boxes of a
# data set, as a Markdown table.
#
#     benches/samplers.sh DATA [WEIGHTS]
set -euo pipefail
data=$1
weights=${2:+--weights $2}
halodi=${HALODI:-halodi}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "| sampler | steps | mean \\|P/P_draws − 1\\| | largest | P/P_draws at k = 1, 5, 10 | seconds |"
echo "|---|---|---|---|---|---|"
while read -r sampler steps; do
    # shellcheck disable=SC2086
    "$halodi" evaluate --data "$data" $weights --split validation --sampler "$sampler" --steps "$steps" \
        --device cpu --out "$work" >/dev/null 2>&1
    python3 - "$work/evaluation.json" "$sampler" "$steps" <<'PYTHON'
import json, sys

boxes = json.load(open(sys.argv[1]))["boxes"]
k = boxes[0]["k"]
ratio = [sum(b["draws"]["power_ratio"][i] for b in boxes) / len(boxes) for i in range(len(k))]
off = [abs(r - 1) for r in ratio]
at = [ratio[min(range(len(k)), key=lambda i: abs(k[i] - wanted))] for wanted in (1, 5, 10)]
seconds = sum(v for b in boxes for n, v in b["seconds"].items() if n == "a realisation") / len(boxes)
print(f"| {sys.argv[2]} | {sys.argv[3]} | {100 * sum(off) / len(off):.1f} % | {100 * max(off):.1f} % | "
      f"{', '.join(f'{v:.2f}' for v in at)} | {seconds:.0f} |", flush=True)
PYTHON
done <<'TABLE'
dpm-solver2m 6
dpm-solver2m 8
dpm-solver2m 12
dpm-solver2m 16
dpm-solver2m 25
dpm-solver2m 50
ddim 10
ddim 25
ddim 50
ancestral 25
ancestral 50
TABLE
