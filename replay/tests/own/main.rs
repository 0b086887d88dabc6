//! What is asked of our own log, and how it is read.

mod asks;
mod cloudtrail;
mod explain;
mod forecast;
mod killed;
mod medium;
mod scripts;
mod signed;
mod verify;
mod walk;
mod what_if;
mod world;
