//! What happens to finished work: judged by a command, landed, tidied up.

pub mod forge;
pub mod land;
pub mod tidy;
pub mod verify;
