//! What happens in houses, one scene a test.

mod calling;
mod card;
mod demo;
mod ends;
mod house_announce;
mod house_base;
mod house_calls;
mod house_faults;
mod house_moves;
mod house_wake;
mod incall;
mod incoming;
mod junk;
mod settings;
mod tuning;
mod words;
