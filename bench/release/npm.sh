#!/bin/sh
# Packs the package for npm, as dist/genrec.tgz unless the first argument says otherwise, and tries it as a user has it:
# installed by npm in an empty folder, types checked, the first program of docs/guides/library.md run by Deno. Node has neither
# WebGPU nor imports of text, so there only rooms without shaders load: eval is tried.
set -eu

cd "$(dirname "$0")/../.."
out=${1:-dist/genrec.tgz}
mkdir -p "$(dirname "$out")"
# Types are made for what the package exports; for files behind it Deno warns that it makes none.
log=$(mktemp)
folder=$(mktemp -d)
trap 'rm -rf "$log" "$folder"' EXIT
deno pack --allow-dirty --no-source-maps --ignore=docs --output "$out" >"$log" 2>&1 || { tail -n 5 "$log" >&2; exit 1; }
echo "$out: $(wc -c <"$out") bytes"

cp "$out" "$folder/genrec.tgz"
sed -n '/^```ts sids\.ts$/,/^```$/p' docs/guides/library.md | sed '/^```/d' >"$folder/sids.ts"
cd "$folder"
echo '{ "private": true, "type": "module" }' >package.json
npm install --no-audit --no-fund --silent ./genrec.tgz
deno check --quiet sids.ts
deno run -A --no-check sids.ts
echo 'import { exposureGini } from "@genrec/genrec/eval"; console.log(exposureGini.name);' >eval.mjs
node eval.mjs
