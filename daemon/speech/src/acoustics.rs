//! What a model of ours knows of sounds: its network, and which phone follows which.

use std::sync::Arc;

use crate::mfcc;
use crate::model::{Model, ModelError};
use crate::net::Net;
use crate::phone_loop::Bigram;

/// See the top; shared by all that look for something in the sound.
pub struct Acoustics {
    /// Runs over features.
    pub net: Arc<Net>,
    /// Of all languages that are listened for.
    pub bigram: Bigram,
}

impl Acoustics {
    /// Reads them; `None` if the model is none of ours.
    pub fn open(model: &Model) -> Result<Option<Arc<Self>>, ModelError> {
        let Some(lexicon) = model.lexicon() else { return Ok(None) };
        let damaged = |what: String| ModelError::Damaged { file: model.path().join("am/final.mdl"), what };
        let net = Net::read(&file(model, "am/final.mdl")?, mfcc::DIM).map_err(damaged)?;
        let n_phones = lexicon.phones().len();
        if net.n_outputs() != 2 * n_phones {
            return Err(damaged(format!("does not belong to the {n_phones} phones of phones.txt")));
        }
        Ok(Some(Arc::new(Self { net, bigram: Bigram::new(lexicon.filler(), n_phones) })))
    }
}

/// A file of the model.
pub(crate) fn file(model: &Model, name: &str) -> Result<Vec<u8>, ModelError> {
    let file = model.path().join(name);
    std::fs::read(&file).map_err(|source| ModelError::Unreadable { file, source })
}
