#!/usr/bin/env bash
# Makes the packages that are published, in dist/: machnet, of JavaScript, and
# machnet-linux-x64, of what native/build-package holds. Called by `make
# packages`; the argument is Deno's program.
set -euo pipefail
cd "$(dirname "$0")/.."
deno=$1

script=dist/npm/machnet
platform=dist/npm/machnet-linux-x64
rm -rf dist
mkdir -p $script $platform

node_modules/.bin/esbuild mod.ts --bundle --format=esm --platform=node \
	--target=esnext --external:zod --outfile=$script/machnet.js \
	--log-level=warning
node_modules/.bin/tsc -p tsconfig.package.json --outDir $script/types
# Compilers find x.d.ts beside an x.js that is not there, not beside an x.ts.
find $script/types -name '*.d.ts' -exec \
	sed -i -E 's/(from "\.[^"]*)\.ts"/\1.js"/' {} +
cp README.md LICENSE $script

DESTDIR=$PWD/$platform meson install -C native/build-package --no-rebuild \
	--strip --quiet
native/tools/package-libraries.sh $platform
native/tools/check-portable.sh $platform
cp LICENSE $platform/licenses/machnet

"$deno" run --allow-read --allow-write packages/manifests.ts
npm pack --silent --pack-destination dist ./$script ./$platform
