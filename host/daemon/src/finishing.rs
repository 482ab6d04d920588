//! What happens to finished work: judged by a command, landed, tidied up.

mod answers;
pub mod forge;
pub mod land;
pub mod tidy;
pub mod verify;
