//! The process: everything that touches the world.

pub mod app;
pub mod cli;
pub mod clock;
pub mod cmd;
pub mod config;
pub mod demo;
pub mod ears;
pub mod house;
pub mod lines;
pub mod models;
pub mod mqtt;
pub mod names;
pub mod near_misses;
pub mod recorder;
pub mod request;
pub mod run;
pub mod socket;
pub mod sound;
pub mod status;
pub mod store;
pub mod switch;
pub mod systemd;
pub mod voice;
pub mod walltime;
