//! The process: everything that touches the world.

pub mod config;
pub mod lines;
