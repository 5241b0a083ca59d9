//! The whole speaker against real peers: PulseAudio as its sound card, baresip as mom, mosquitto as the house's broker, synthesised voices as people.

// Not every scene and benchmark uses all that a peer can do.
#![allow(dead_code)]

mod broker;
mod children;
mod harness;
mod house;
mod household;
mod network;
mod phone;
mod pulse;
mod scenes;
mod sound;
mod voice;
