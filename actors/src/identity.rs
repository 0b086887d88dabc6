//! What a command is: so that an id given for one is not taken for the answer to another.
//!
//! The id under which a command is remembered is made of the caller's id, who asks, whom it concerns
//! and everything it says, under a key of the key ring: codes are part of it, and must not be guessed
//! from what is stored.

use std::fmt::Display;

use countersign_domain::ids::CommandId;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::answer::Request;

/// A command that can say what it is.
pub(crate) trait Work {
    /// Adds everything that the command says, save what is made afresh for each try.
    fn identity(&self, identity: &mut Identity);
}

/// The key under which commands are remembered.
pub(crate) struct IdentityKey(Zeroizing<[u8; 32]>);

impl IdentityKey {
    pub(crate) const fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The request under the id that its command is remembered by. Without an id it is not.
    pub(crate) fn bind(&self, request: Request, target: &impl Display, work: &impl Work) -> Request {
        let Some(command) = request.command else { return request };
        // HMAC fills a short key up with zeros to the block of its hash (RFC 2104).
        let mut block = Zeroizing::new([0; 64]);
        block[..32].copy_from_slice(&*self.0);
        let mut identity = Identity(<Hmac<Sha256> as KeyInit>::new((&*block).into()));
        identity.part(command.as_bytes()).text(&target.to_string());
        match &request.caller.principal {
            Some(caller) => identity.text(&caller.to_string()),
            None => identity.text(""),
        };
        work.identity(&mut identity);
        let digest = identity.0.finalize().into_bytes();
        let mut id = [0; 16];
        id.copy_from_slice(&digest[..16]);
        Request { command: Some(CommandId::from_bytes(id)), ..request }
    }
}

/// The parts of a command, each with its length, so that none runs into the next.
pub(crate) struct Identity(Hmac<Sha256>);

impl Identity {
    /// Adds some bytes.
    pub(crate) fn part(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds some text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.part(text.as_bytes())
    }
}
