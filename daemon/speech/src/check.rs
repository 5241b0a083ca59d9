//! Whether the files of a model are whole.

use std::path::Path;

use crate::model::ModelError;

/// Checks the folder; Ok means that libvosk can be trusted with it.
pub(crate) fn folder(path: &Path) -> Result<(), ModelError> {
    if !path.exists() {
        return Err(ModelError::NoFolder(path.into()));
    }
    Ok(())
}
