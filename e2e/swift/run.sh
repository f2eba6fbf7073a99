#!/bin/sh
# The S3 driver against Debian's Swift: a job of its own, as Swift is 70 packages. Installs what is missing, if it may.
set -eu
cd "$(dirname "$0")/../.."

packages="swift-proxy swift-object swift-container swift-account memcached"
missing=""
for package in $packages; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  if ! command -v apt-get >/dev/null; then
    echo "test:swift: not here: needs$missing of Debian 12, and this is no Debian" >&2
    exit 1
  fi
  if [ "$(id -u)" != 0 ]; then
    echo "test:swift: not here: needs$missing (as root: apt-get install --no-install-recommends$missing)" >&2
    exit 1
  fi
  apt-get update -qq
  # shellcheck disable=SC2086 # one word a package
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

exec node_modules/.bin/node node_modules/vitest/vitest.mjs run --config e2e/swift/vitest.config.ts --root .
