//! Passwords: out of the file itself, out of a file of its own, or handed over by systemd. Never printed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Secret;
use super::problems::Place;
use super::reader::{Findings, Section};

/// The password of a section: `password`, else `password_file`, else the systemd credential of that name (`LoadCredential=`).
pub fn password(section: &mut Section<'_>, credential: &str) -> Option<Secret> {
    // An empty password is a password: some registrars know us by our address.
    let inline = section.value("password").map(|node| match &node.value {
        super::yaml::Value::Text(text) if text.is_empty() => Some(Secret(String::new())),
        _ => section.as_text("password", node).map(|text| Secret(text.text.to_owned())),
    });
    let place = section.value("password").map(|node| node.place.clone());
    let file = section.text("password_file");
    let findings = section.findings();
    match (inline, file) {
        (Some(_), Some(file)) => {
            findings.problem(file.place, "there is a `password` and a `password_file`", "remove one of them");
            Some(Secret(String::new()))
        }
        (Some(secret), None) => {
            if let Some(place) = place.filter(|_| secret.as_ref().is_some_and(|it| !it.0.is_empty())) {
                others_may_read(&place, findings);
            }
            // What is wrong with it has been reported: something stands for it.
            Some(secret.unwrap_or(Secret(String::new())))
        }
        (None, Some(file)) => {
            let path = file.place.folder().join(file.text);
            Some(from_file(&path, file.place, findings).unwrap_or(Secret(String::new())))
        }
        (None, None) => {
            let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(credential);
            path.exists().then(|| from_file(&path, &section.place, findings)).flatten()
        }
    }
}

fn from_file(path: &Path, place: &Place, findings: &Findings) -> Option<Secret> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(Secret(text.trim_end_matches(['\n', '\r']).to_owned())),
        Err(error) => {
            let what = format!("the password file `{}` cannot be read: {}", path.display(), plain(&error));
            findings.problem(place, what, "create it with the password as its only line, readable by the user that hark runs as");
            None
        }
    }
}

/// A file with a password in it that everybody on the machine may read.
fn others_may_read(place: &Place, findings: &Findings) {
    let Place::File(file, ..) = place else { return };
    let Ok(about) = std::fs::metadata(&**file) else { return };
    if about.permissions().mode() & 0o004 != 0 {
        findings.warning(
            place,
            "everybody on this machine can read the password in this file",
            format!("`chmod o-r {file}`, or move it to a `password_file`"),
        );
    }
}

/// The system's error without its number.
pub fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::IsADirectory => "it is a folder".into(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_secret_is_never_printed() {
        let secret = super::Secret("correct horse".into());
        assert_eq!(format!("{:?}", Some(("mom", secret))), r#"Some(("mom", ***))"#);
    }
}
