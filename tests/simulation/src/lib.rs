//! Simulates hosts, their tracker, their agents and everything that can go wrong
//! between them, around the real engine.
//!
//! One seed is one world: [`scenario`] draws it, [`world`] plays it event by event on
//! one thread without any real time, and [`invariants`] checks after every event what
//! must always hold, against the truth of the whole world. [`shrink`] makes a world
//! that fails smaller; [`campaign`] plays many.
//!
//! It never starts a process, opens a file or a socket, or reads a clock.

mod agent;
pub mod campaign;
mod carrying;
mod daemon;
mod disk;
mod event;
pub mod fault;
pub mod history;
mod host;
mod invariants;
mod mutated;
mod network;
mod processes;
pub mod random;
pub mod scenario;
pub mod shrink;
mod strikes;
mod tracker;
pub mod world;
