//! What happens in houses, one scene a test.

mod calling;
mod card;
mod demo;
mod ends;
mod house_base;
mod incall;
mod incoming;
mod junk;
mod settings;
mod words;
