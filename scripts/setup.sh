#!/bin/sh
# Makes this machine ready for Chamada, then runs it:
#
#   sh scripts/setup.sh install   only what is missing: ffmpeg, Deno, the three std packages
#   sh scripts/setup.sh demo      the same, then `deno task demo`
#   sh scripts/setup.sh test      the same and what the tests need, then `deno task ok`
#
# Further arguments are handed on to the task. What is there is left alone and not mentioned; what
# was left half done is done again. Deno goes into .deno/, the packages into vendor/, both here.
# Only Debian's and Ubuntu's packages are tried out regularly; those of others are named in good faith.

set -eu

DENO_VERSION=2.9.6
# Imports all that is used of the std packages, and nothing else.
ALL_OF_STD=tests/std_contract_test.ts

# The first of these that is set decides, as in lib/user/messages.ts.
case ${LC_ALL:-${LC_MESSAGES:-${LANG-}}} in
  [Pp][Tt] | [Pp][Tt][!A-Za-z0-9]*) portuguese=yes ;;
  *) portuguese= ;;
esac

# One of two sentences, the first in English.
say() { if [ -n "$portuguese" ]; then put "$2"; else put "$1"; fi; }

# A text as it is.
put() { printf '%s\n' "$1"; }

fail() {
  say "$@" >&2
  exit 1
}

has() {
  case $1 in
    # No command: a module, and of the system's Python, whatever other one comes first on PATH.
    numpy) /usr/bin/python3 -c 'import numpy' ;;
    # No command either: what leads ALSA's programs to the sound server.
    alsa-pulse) ls /usr/lib*/alsa-lib/*_pcm_pulse.so || ls /usr/lib/*/alsa-lib/*_pcm_pulse.so ;;
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

# Runs a command and keeps its words to itself; `fail_with_log` shows the end of them.
quietly() { NO_COLOR=1 RUST_BACKTRACE=0 "$@" >>"$log" 2>&1 </dev/null; }

fail_with_log() {
  say "$1 The last it said:" "$2 O que disse por último:" >&2
  tail -n 15 "$log" | sed 's/^/  /' >&2
  exit 1
}

# --- ffmpeg and the tools of the tests -----------------------------------------------------------

# Each package manager's name for the package that brings a command.
package_of() {
  case $manager:$1 in
    dnf:ff*) put ffmpeg-free ;;
    *:ff*) put ffmpeg ;;
    dnf:Xvfb | zypper:Xvfb) put xorg-x11-server-Xvfb ;;
    pacman:Xvfb) put xorg-server-xvfb ;;
    *:Xvfb) put xvfb ;;
    pacman:numpy) put python-numpy ;;
    *:numpy) put python3-numpy ;;
    pacman:pactl) put libpulse ;;
    *:pactl) put pulseaudio-utils ;;
    apt-get:alsa-pulse) put libasound2-plugins ;;
    dnf:alsa-pulse) put alsa-plugins-pulseaudio ;;
    *:alsa-pulse) put alsa-plugins ;;
    dnf:ip) put iproute ;;
    dnf:tc) put iproute-tc ;;
    *:ip | *:tc) put iproute2 ;;
    dnf:faketime | zypper:faketime | pacman:faketime) put libfaketime ;;
    *) put "$1" ;;
  esac
}

# The commands among those given that this machine lacks, on one line.
missing_of() {
  for name in "$@"; do
    has "$name" || printf '%s ' "$name"
  done
}

install_command() {
  case $manager in
    apt-get) put "apt-get install --yes --no-install-recommends $packages" ;;
    dnf) put "dnf install --assumeyes $packages" ;;
    pacman) put "pacman --sync --noconfirm --needed $packages" ;;
    zypper) put "zypper --non-interactive install $packages" ;;
  esac
}

# Ends with the command that brings what is missing.
fail_missing() { fail "Missing: $1. Type: $2" "Falta: $1. Digite: $2"; }

install_tools() {
  missing=$(missing_of "$@")
  [ -n "$missing" ] || return 0

  [ "$system" = Linux ] || fail_missing "${missing% }" "$by_hand"
  [ -n "$manager" ] ||
    fail "Missing: ${missing% }. Install the packages that bring them (ffmpeg, for one), and try again." \
      "Falta: ${missing% }. Instale os pacotes que os trazem (o ffmpeg, por exemplo), e tente de novo."
  packages=$(for name in $missing; do package_of "$name"; done | sort -u | tr '\n' ' ')
  packages=${packages% }

  as_root=
  if [ "$(id -u)" -ne 0 ]; then
    has sudo ||
      fail "Missing: ${missing% }. As root, type: $(install_command)" \
        "Falta: ${missing% }. Como root, digite: $(install_command)"
    as_root=sudo
  fi

  say "Installing $packages ($manager)…" "Instalando $packages ($manager)…"
  options=
  if [ "$manager" = apt-get ]; then
    # Another apt may be at work, as on a machine that has just started.
    options='-o DPkg::Lock::Timeout=60'
    # Lists that cannot be brought up to date may still be good enough: only the installation decides.
    quietly $as_root apt-get update || :
  fi
  # sudo forgets the environment, hence `env`.
  # shellcheck disable=SC2046,SC2086 # lists of words
  quietly $as_root env DEBIAN_FRONTEND=noninteractive $(install_command) $options ||
    fail_with_log "Cannot install $packages with $manager." \
      "Não foi possível instalar $packages com $manager."

  missing=$(missing_of "$@")
  [ -z "$missing" ] ||
    fail "Still missing after installing $packages: ${missing% }." \
      "Ainda falta depois de instalar $packages: ${missing% }."
}

# --- Deno ----------------------------------------------------------------------------------------

version_of() { "$1" --version 2>/dev/null </dev/null | sed -n '1s/^deno \([^ ]*\).*/\1/p'; }

# True if the deno on PATH is of this major version and not older.
is_newer() {
  version_of deno | awk -F. -v pinned="$DENO_VERSION" '
    { split(pinned, p, "."); newer = $1 == p[1] && ($2 > p[2] || $2 == p[2] && $3 + 0 >= p[3]) }
    END { exit !newer }'
}

# Below a prefix, makes bin/deno the program itself: npm may have put a script there that starts it,
# and a signal would end the script and leave the program behind.
link_native() {
  native=lib/node_modules/deno/deno
  [ -x "$1/$native" ] || quietly "$1/bin/deno" --version || return 1
  [ -x "$1/$native" ] || return 1
  [ "$(readlink "$1/bin/deno")" = "../$native" ] || ln -sf "../$native" "$1/bin/deno"
}

# Finds the pinned Deno, in .deno/ or on PATH.
find_deno() {
  if [ -e .deno/bin/deno ] && [ "$(version_of .deno/bin/deno)" = "$DENO_VERSION" ] &&
    link_native .deno; then
    PATH=$PWD/.deno/bin:$PATH
    return 0
  fi
  has deno && [ "$(version_of deno)" = "$DENO_VERSION" ]
}

# npm on Windows lays a prefix out in another way.
can_install_deno() { [ "$system" != Windows ] && has npm; }

# Said before anything is installed: nothing that is installed before helps here.
check_deno() {
  if find_deno || can_install_deno || { has deno && is_newer; }; then return 0; fi
  [ "$system" = Linux ] || fail_missing "Deno $DENO_VERSION" "$by_hand"
  packages=npm
  page=https://docs.deno.com/runtime/getting_started/installation/
  command=$(install_command)
  [ "$(id -u)" -eq 0 ] || command=${command:+sudo $command}
  fail "Missing: Deno $DENO_VERSION, and npm to install it with. Install npm${command:+ ($command)} or Deno itself ($page), and try again." \
    "Falta: o Deno $DENO_VERSION, e o npm para instalá-lo. Instale o npm${command:+ ($command)} ou o próprio Deno ($page), e tente de novo."
}

install_deno() {
  if find_deno || ! can_install_deno; then return 0; fi
  say "Installing Deno $DENO_VERSION (npm)…" "Instalando o Deno $DENO_VERSION (npm)…"
  rm -rf .deno.part
  # --include and --bin-links: settings of the user's own may say otherwise.
  quietly npm install --global --prefix "$PWD/.deno.part" --include=optional --bin-links \
    --no-audit --no-fund --no-update-notifier "deno@$DENO_VERSION" ||
    fail_with_log "Cannot install Deno $DENO_VERSION with npm." \
      "Não foi possível instalar o Deno $DENO_VERSION com o npm."
  if ! link_native .deno.part || [ "$(version_of .deno.part/bin/deno)" != "$DENO_VERSION" ]; then
    fail_with_log "The Deno that npm has installed does not run here." \
      "O Deno que o npm instalou não roda aqui."
  fi
  rm -rf .deno
  mv .deno.part .deno
  PATH=$PWD/.deno/bin:$PATH
  installed_deno=yes
}

# --- The std packages ----------------------------------------------------------------------------

# Without the network. Not `deno install --cached-only`, which succeeds whatever is missing.
has_packages() {
  : >"$log"
  quietly deno test --no-run --no-check --quiet --cached-only "$ALL_OF_STD"
}

# Within 3 seconds in all; a page in its place, as of a hotel, is no answer.
jsr_answers() {
  quietly deno eval --no-config --quiet '
    const signal = AbortSignal.timeout(3000);
    const { versions } = await (await fetch("https://jsr.io/@std/cli/meta.json", { signal })).json();
    if (!versions) throw new Error("jsr.io does not answer as it should");'
}

# Fills vendor/ with our own stand-ins, laid out as Deno lays the real packages out.
use_stand_ins() {
  say "Using the stand-ins of scripts/offline/ for the std packages: jsr.io does not answer." \
    "Usando os substitutos de scripts/offline/ para os pacotes std: jsr.io não responde."
  rm -rf vendor.part
  # A line of deno.json: "@std/cli": "jsr:@std/cli@1.0.32"
  sed -n 's|.*"jsr:@std/\([a-z]*\)@\([0-9.]*\)".*|\1 \2|p' deno.json | while read -r name version; do
    folder=vendor.part/jsr.io/@std/$name
    mkdir -p "$folder/$version"
    cp "scripts/offline/$name"/*.ts "$folder/$version/"
    cp "scripts/offline/$name/meta.json" "$folder/${version}_meta.json"
    printf '{"versions":{"%s":{}}}\n' "$version" >"$folder/meta.json"
  done
  : >vendor.part/.stand-in
  rm -rf vendor
  mv vendor.part vendor
}

# True if vendor/ holds stand-ins, those that scripts/offline/ and deno.json now ask for.
has_stand_ins() {
  [ -e vendor/.stand-in ] && [ -z "$(find scripts/offline deno.json -newer vendor/.stand-in)" ]
}

install_packages() {
  if has_packages; then
    [ -e vendor/.stand-in ] || return 0
    # Stand-ins give way to the real packages, but it is enough to ask for these once an hour.
    if has_stand_ins && [ -n "$(find vendor/.stand-in -mmin -60)" ]; then return 0; fi
  fi

  if jsr_answers; then
    say "Fetching the std packages (jsr.io)…" "Buscando os pacotes std (jsr.io)…"
    if [ -e vendor/.stand-in ]; then rm -rf vendor; fi
    quietly deno cache --quiet "$ALL_OF_STD" && return 0
  fi

  if has_stand_ins && has_packages; then
    touch vendor/.stand-in 2>/dev/null || :
  else
    use_stand_ins
  fi
  has_packages ||
    fail_with_log "Deno cannot load the std packages." "O Deno não consegue carregar os pacotes std."
}

# -------------------------------------------------------------------------------------------------

mode=${1-}
case $mode in
  install | demo | test) shift ;;
  *)
    say 'Usage: sh scripts/setup.sh install | demo | test [arguments of the task]' \
      'Uso: sh scripts/setup.sh install | demo | test [argumentos da tarefa]' >&2
    exit 2
    ;;
esac

caller=$PWD
cd "$(dirname "$0")/.."
by_hand=
case $(uname -s) in
  Darwin)
    system=Darwin
    by_hand='brew install deno ffmpeg'
    ;;
  MINGW* | MSYS* | CYGWIN*)
    system=Windows
    by_hand='winget install DenoLand.Deno Gyan.FFmpeg'
    ;;
  *) system=Linux ;;
esac
# Where ip and tc are, which is not on the path of every user.
PATH=$PATH:/usr/sbin:/sbin
manager=$(for name in apt-get dnf pacman zypper; do has $name && put $name && break; done) || :
installed_deno=
log=$(mktemp)
trap 'rm -rf "$log" .deno.part vendor.part' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

check_deno
# The tests that need more than ffmpeg are for Linux alone.
case $mode-$system in
  test-Linux)
    # PulseAudio would take the place of PipeWire, with which a user may hear: then the tests that
    # need it are left out.
    sound='pulseaudio pactl alsa-pulse'
    if has pipewire; then sound=; fi
    # shellcheck disable=SC2086 # a list of words
    install_tools ffmpeg ffplay ffprobe Xvfb xdotool ip tc numpy faketime $sound
    ;;
  *) install_tools ffmpeg ffplay ffprobe ;;
esac
install_deno
install_packages

if [ "$mode" = install ] || [ -n "$installed_deno" ]; then
  chamada=scripts/chamada
  [ "$caller" = "$PWD" ] || chamada=$PWD/$chamada
  say "To answer a call, type: $chamada serve" "Para atender uma chamada, digite: $chamada serve"
  say "To make one, on the other computer: $chamada send ADDRESS" \
    "Para fazer uma, no outro computador: $chamada send ENDEREÇO"
fi

rm -f "$log"
case $mode in
  demo) exec deno task --quiet demo "$@" ;;
  test) exec deno task --quiet ok "$@" ;;
esac
