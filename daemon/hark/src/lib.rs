//! The process: everything that touches the world.

pub mod cmd;
pub mod config;
pub mod lines;
pub mod mqtt;
pub mod recorder;
pub mod request;
pub mod store;
pub mod systemd;
pub mod walltime;
