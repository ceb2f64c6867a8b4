# Shared by the scripts in Tools/: sourced, not run. Sets `root`, the repository's folder.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

step() { printf '==> %s\n' "$*"; }

# Installs the Debian packages among its arguments that are missing; no network is touched when none is.
install_packages() {
  local package missing=()
  command -v dpkg-query >/dev/null || die "this system has no dpkg; install what corresponds to: $*"
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "these packages are missing, and there is no sudo to install them: ${missing[*]}"
    as_root=(sudo)
  fi
  step "installing ${missing[*]}"
  # Package lists of a fresh machine may be absent or old: refresh them once, then again only if that did not do.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 </dev/null ||
    { "${as_root[@]}" apt-get update -q >/dev/null </dev/null &&
      "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null </dev/null; } ||
    die "apt-get could not install: ${missing[*]}"
}

need_swift() {
  command -v swift >/dev/null || die "no swift on PATH: get a toolchain from https://www.swift.org/install"
}
