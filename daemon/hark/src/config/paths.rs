//! Where things lie when nothing is said: model, state, control socket.

use std::path::{Path, PathBuf};

/// The name of the model that comes with Hark.
pub const BUILT_IN: &str = "built-in";

/// The folder of a model: a path, relative to `folder`, or the name of one that came with Hark or was installed. `None` where it is not found.
pub fn model(name: &str, folder: &Path, state_dir: &Path) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(folder.join(name)).filter(|path| path.is_dir());
    }
    // `en` is what it was called when it understood English only.
    let name = if [BUILT_IN, "en"].contains(&name) { "hark" } else { name };
    let system = ["/usr/local/share/hark", "/usr/share/hark"].map(PathBuf::from);
    let beside = [std::env::current_exe().ok(), std::env::current_dir().ok()];
    let above = beside.iter().flatten().flat_map(|path| path.ancestors()).map(Path::to_owned);
    let installed = [state_dir.to_owned(), "/var/lib/hark".into()];
    let roots = above.flat_map(|root| [root.join("share/hark"), root]).chain(system).chain(installed);
    roots.map(|root| root.join("models").join(name)).find(|path| is_model(path))
}

/// Whether a folder looks like that of a model: the newer layout, or the older one with all files side by side.
pub fn is_model(folder: &Path) -> bool {
    folder.join("conf").is_dir() || folder.join("final.mdl").is_file()
}

/// systemd's `StateDirectory=`, else the user's state folder.
pub fn state_dir() -> PathBuf {
    let systemd = from_systemd("STATE_DIRECTORY");
    let user = || in_home("XDG_STATE_HOME", ".local/state").map(|state| state.join("hark"));
    systemd.or_else(user).unwrap_or_else(|| "/var/lib/hark".into())
}

/// systemd's `RuntimeDirectory=`, else the user's runtime folder.
pub fn socket() -> PathBuf {
    let user = || std::env::var_os("XDG_RUNTIME_DIR").map(|dir| PathBuf::from(dir).join("hark"));
    from_systemd("RUNTIME_DIRECTORY").or_else(user).unwrap_or_else(|| "/run/hark".into()).join("control.sock")
}

/// The first of the folders that systemd made for us; it separates several by colons.
fn from_systemd(variable: &str) -> Option<PathBuf> {
    let folders = std::env::var(variable).ok()?;
    folders.split(':').next().filter(|it| !it.is_empty()).map(PathBuf::from)
}

fn in_home(variable: &str, otherwise: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).filter(|it| !it.is_empty()).map(PathBuf::from);
    named.or_else(|| std::env::var_os("HOME").filter(|it| !it.is_empty()).map(|home| PathBuf::from(home).join(otherwise)))
}
