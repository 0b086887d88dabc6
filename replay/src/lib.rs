//! Reads logs back into states and checks them, offline.
//!
//! ```text
//! trail  audit logs of AWS accounts ─┐
//!                                    ├─► events ─► fold ─► a history ─► ask ─► answers, pages
//! own    our own store ──────────────┘
//! ```
//!
//! A library first; the tool `countersign-replay` is a thin front over it. [`trail`] reads what others wrote, [`own`] reads
//! Countersign's own store, in place and while a server writes it. Both tell [`event`]s of one vocabulary, the [`fold`](mod@fold)
//! makes a history of them, whatever they contradict, and [`ask`] answers from it, citing the records that decide. Our own
//! states are folded by the domain itself, and only our own log says why something was decided as it was, and what another
//! policy would have made of it.
//!
//! ```
//! use countersign_replay::ask::{StateQuery, Told, state};
//! use countersign_replay::event::{Observed, What, Who};
//! use countersign_replay::fold::fold;
//!
//! let lee = Who::user("123456789012", "lee");
//! let created = Observed::new("2024-05-01T09:00:00Z".parse()?, What::PrincipalCreated { who: lee });
//! let told = Told { history: fold([created]), ..Told::default() };
//! assert_eq!(state(&told, &StateQuery::default()).principals[0].status.name(), "disabled");
//! # Ok::<(), countersign_replay::time::NoTime>(())
//! ```

pub mod ask;
pub mod event;
pub mod fold;
pub mod own;
pub mod page;
pub mod time;
pub mod trail;
