//! What is asked of our own log, and how it is read.

mod asks;
mod explain;
mod killed;
mod medium;
mod verify;
mod world;
