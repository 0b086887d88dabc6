//! Reads logs back into states and checks them, offline.
//!
//! A library first. [`own`] reads Countersign's own store, in place and while a server writes it, folds it by the domain's
//! own fold and answers what was true, why, and what another policy would have made of it. The tool `countersign-replay` is
//! a thin front over it.

pub mod own;
