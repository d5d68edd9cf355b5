#!/bin/sh
# Installs the reference servers into node_modules beside this file, as package-lock.json has them;
# does nothing when that was done already. Needs the repository's own `npm ci` before: its Node runs
# the servers, and also this installation, so that npm checks `engines` against the right one.
#
# No package may run an install script. The only native module is better-sqlite3, and the version in
# `overrides` carries its compiled form in its tarball; the one that the PDS asks for would be built
# from source here and crashes on Node 24.
set -eu

cd "$(dirname "$0")"
bin=$(cd ../../.. && pwd)/node_modules/.bin
[ -x "$bin/node" ] || { echo "${0##*/}: $bin/node is missing; run npm ci at the repository's root" >&2; exit 1; }

# Two runs at once would remove each other's node_modules; the second waits and finds the stamp.
exec 9<.
flock 9

stamp=node_modules/.installed
wanted=$(cat package.json package-lock.json .npmrc | sha256sum)
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0

# In an npm script, npm's settings of the outer project arrive as variables; none of them is for here.
for name in $(env | sed -n 's/^\(npm_config_[a-z_]*\)=.*/\1/p'); do
  case $name in npm_config_cache | npm_config_registry | npm_config_userconfig) ;; *) unset "$name" ;; esac
done
PATH="$bin:$PATH" npm ci --ignore-scripts
echo "$wanted" >"$stamp"
