//! The process: everything that touches the world.

pub mod config;
pub mod lines;
pub mod mqtt;
pub mod request;
pub mod walltime;
