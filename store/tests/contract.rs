//! The contract on both journals.

mod media;

use media::{InMemory, OnDisk};

countersign_store::contract_suite!(memory, InMemory);
countersign_store::contract_suite!(disk, OnDisk);
