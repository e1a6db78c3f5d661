#!/bin/sh
# Times every kernel and training step and adds a line to a history; exits with 1 where one lost 5 % or more. For cron:
#
#   7 3 * * *  cd genrec && git pull -q && bench/nightly.sh || mail -s "genrec is slower" me
#
# Usage: bench/nightly.sh [flags of genrec bench]; the history is runs/bench.jsonl, or where a --history among them points.
set -eu
cd "$(dirname "$0")/.."
exec ./genrec bench --no-peers --repeats 5 --history runs/bench.jsonl "$@"
