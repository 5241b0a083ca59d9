# For those who call cargo by hand:    . tools/env.sh
# Puts what tools/deps.sh had to bring itself (meson, on Debian 12) on the PATH of this shell. On Debian 13 it changes nothing that matters.
# Everything else that cargo must know is in .cargo/config.toml.
PATH=$(cd "$(dirname "${BASH_SOURCE[0]:-$0}")/.." && pwd)/.deps/bin:$PATH
export PATH
