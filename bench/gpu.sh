#!/bin/sh
# Kernel tests and benchmarks on a machine that has a GPU and its driver but nothing else: no network, no Deno, no
# Vulkan loader.
#
#   bench/gpu.sh pack [folder]   here, in a clone: bundles tests, benchmarks and Deno (about 40 MB) into dist/gpu
#   sh gpu.sh run [bench flags]  there, in that folder: prints the adapter, the table of `genrec bench`, that of training
#                                steps of Qwen2.5-0.5B (gpu_sft.ts), and ends with one report, kept as report.md and
#                                report.json: kernel tests, every variant beside what a roofline predicts, training
#                                steps of four sizes, users/s (bench/gpu/report.ts)
#
# Linux x86-64. `run` takes the machine's own Vulkan loader and driver list where it has them. It refuses a CPU adapter,
# whose times say nothing of a GPU, unless GENREC_ALLOW_CPU=1; GENREC_SKIP leaves parts out, such as "bench sft" of
# tests, bench, sft and report. GENREC_SFT has flags of gpu_sft.ts, such as "--peak-tflops 67 --tokens 8192",
# GENREC_REPORT of report.ts, such as "--quick". Exits with 1 where a part fails; the parts after it run all the same.
set -eu

TESTS="kernels/registry_test kernels/gpu/variants_test kernels/matmul/half_test kernels/reduce/rows/variant_test"
TESTS="$TESTS kernels/attention/shared_half_test kernels/autotune_test"

pack() {
  cd "$(dirname "$0")/.."
  out=${1:-dist/gpu}
  mkdir -p "$out"
  for test in $TESTS; do
    deno bundle --quiet --output "$out/$(basename "$test").js" "tests/$test.ts"
  done
  deno bundle --quiet --output "$out/report.js" bench/gpu/report.ts
  deno bundle --quiet --output "$out/sft.js" bench/speed/gpu_sft.ts
  deno bundle --quiet --output "$out/genrec.js" tasks/main.ts
  deno eval 'console.log(Deno.execPath())' | { read -r deno && gzip -c "$deno" > "$out/deno.gz"; }
  loader=$(ldconfig -p 2>/dev/null | sed -n 's/.*libvulkan\.so\.1 .*=> //p' | head -n 1)
  [ -z "$loader" ] || cp -L "$loader" "$out/libvulkan.so.1"
  cp bench/gpu.sh "$out/gpu.sh"
  echo "Packed $(du -sh "$out" | cut -f1) in $out. Copy it to the machine with the GPU and run: sh gpu.sh run"
}

# Points the Vulkan loader at NVIDIA's driver where no list names it, as in most containers.
find_driver() {
  for file in /etc/vulkan/icd.d/*.json /usr/share/vulkan/icd.d/*.json; do
    [ ! -e "$file" ] || return 0
  done
  for file in /usr/local/nvidia/share/vulkan/icd.d/*.json; do
    [ -e "$file" ] || continue
    export VK_DRIVER_FILES="$file"
    return 0
  done
  for library in libGLX_nvidia.so.0 libEGL_nvidia.so.0; do
    ldconfig -p 2>/dev/null | grep -q "$library" || continue
    printf '{"file_format_version":"1.0.0","ICD":{"library_path":"%s","api_version":"1.3.0"}}\n' "$library" \
      > "$work/icd.json"
    export VK_DRIVER_FILES="$work/icd.json"
    return 0
  done
  echo "No Vulkan driver is listed: in a container start it with NVIDIA_DRIVER_CAPABILITIES=compute,graphics" >&2
}

run_tests() {
  failed=0
  printf '%-16s %-7s %8s\n' test result seconds
  for test in $TESTS; do
    name=$(basename "$test")
    start=$(date +%s)
    if "$deno" test --allow-all --no-check "$name.js" > "$work/$name.log" 2>&1; then
      result=ok
    else
      result=FAILED
      failed=1
    fi
    seconds=$(($(date +%s) - start))
    printf '%-16s %-7s %8d\n' "$name" "$result" "$seconds"
    printf '%s\t%s\t%s\n' "$name" "$result" "$seconds" >> "$work/tests.tsv"
    [ "$result" = ok ] || cat "$work/$name.log"
  done
  return $failed
}

wanted() {
  case " ${GENREC_SKIP:-} " in *" $1 "*) return 1 ;; esac
}

run() {
  cd "$(dirname "$0")"
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  deno=$work/deno
  gzip -dc deno.gz > "$deno"
  chmod +x "$deno"
  export XDG_RUNTIME_DIR="$work" DENO_DIR="$work/cache" DENO_NO_UPDATE_CHECK=1 NO_COLOR=1
  if ! ldconfig -p 2>/dev/null | grep -q 'libvulkan\.so\.1'; then
    export LD_LIBRARY_PATH="$PWD${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  fi
  find_driver

  "$deno" run --allow-all genrec.js doctor || true
  "$deno" run --allow-all genrec.js doctor --json > "$work/doctor.json" || exit 1
  if grep -q '"cpu": true' "$work/doctor.json" && [ "${GENREC_ALLOW_CPU:-}" != 1 ]; then
    echo "error: this is a CPU adapter. Install the GPU's Vulkan driver, or set GENREC_ALLOW_CPU=1" >&2
    exit 1
  fi
  status=0
  if wanted tests; then
    echo
    run_tests || status=1
  fi
  if wanted bench; then
    echo
    "$deno" run --allow-all genrec.js bench "$@" || status=1
  fi
  if wanted sft; then
    echo
    # shellcheck disable=SC2086 -- a list of flags
    "$deno" run --allow-all sft.js ${GENREC_SFT:-} || status=1
  fi
  if wanted report; then
    echo
    tests=
    [ ! -e "$work/tests.tsv" ] || tests="--tests $work/tests.tsv"
    # shellcheck disable=SC2086 -- lists of flags
    "$deno" run --allow-all report.js --out . $tests ${GENREC_REPORT:-} || status=1
  fi
  exit $status
}

case ${1:-} in
  pack) shift && pack "$@" ;;
  run) shift && run "$@" ;;
  *) sed -n '2,15s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
