//! What is asked of our own log, and how it is read.

mod asks;
mod medium;
mod world;
