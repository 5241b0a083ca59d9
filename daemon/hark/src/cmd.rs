//! What the verbs of the command line do.

pub mod change;
pub mod check;
pub mod devices;
pub mod doctor;
pub mod echo;
pub mod hear;
pub mod house;
pub mod models;
pub mod progress;
pub mod say_name;
pub mod status;
pub mod tune;
