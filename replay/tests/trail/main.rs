//! Audit logs of AWS accounts: the answers that are known, the cases that are hard, and what must not matter.

mod answers;
mod cases;
mod contradictions;
mod doubts;
mod edges;
mod edges_of_input;
mod exports;
mod foreign;
mod hostile;
mod integrity;
mod pages;
mod properties;
mod readme;
mod reports;
mod rotations;
mod streams;
mod support;
mod tool;
