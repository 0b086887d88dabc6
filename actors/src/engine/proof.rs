//! What the log proves to others: checkpoints, receipts, and the keys that vouch for them.

use countersign_domain::ids::Position;
use countersign_store::Rotated;

use super::Countersign;
use crate::anchor::AnchorState;
use crate::error::Error;

impl Countersign {
    /// A signed checkpoint of the log as it is now: its size, and the root of the tree over all its entries (C2SP
    /// `tlog-checkpoint`). It is a text for anybody, and it is worth most where somebody else keeps it: nothing that is in
    /// it can be changed later without its showing.
    ///
    /// The log signs one each second by itself while it grows. The call blocks for as long as the disk takes.
    ///
    /// # Errors
    /// When the log cannot be read or written, or is not the one that was signed before.
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config { origin: Some("example.com/mfa".to_owned()), ..Config::default() })?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// let checkpoint = engine.checkpoint()?;
    /// assert!(checkpoint.starts_with("example.com/mfa\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn checkpoint(&self) -> Result<String, Error> {
        Ok(self.runtime.shared.journal.checkpoint()?.note.to_string())
    }

    /// A receipt of an event of the log: a text (C2SP `tlog-proof`) that anybody can check offline with the log's public key
    /// and nothing else, by `countersign-proof receipt`. `None` when the log has no such position.
    ///
    /// Whoever reads it sees the type, the stream (a pseudonym), the version, the time and the command of the event, and its
    /// content when that is not sealed. Of the sealed kind they see how long it is.
    ///
    /// # Errors
    /// As [`Countersign::checkpoint`].
    ///
    /// ```
    /// # use countersign::*;
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// # let engine = Countersign::in_memory(Config::default())?;
    /// # let operator = || Request::by(Caller::operator());
    /// # let account: AccountId = "123456789012".parse()?;
    /// let ack = engine.open_account(operator(), account, DeviceName::new("root")?).await?;
    /// let receipt = engine.receipt(Position(0))?.unwrap();
    /// assert!(receipt.starts_with("c2sp.org/tlog-proof@v1\n"));
    /// assert_eq!(engine.receipt(Position(1_000_000))?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn receipt(&self, position: Position) -> Result<Option<String>, Error> {
        Ok(self.runtime.shared.journal.receipt(position)?)
    }

    /// The last checkpoint, below the hashes that show that its log begins with the first `old` entries: for whoever keeps a
    /// checkpoint of so many, and for a witness (C2SP `tlog-witness`). `None` when fewer were signed.
    ///
    /// # Errors
    /// When the log cannot be read.
    ///
    /// ```
    /// # use countersign::*;
    /// let engine = Countersign::in_memory(Config::default())?;
    /// engine.checkpoint()?;
    /// assert!(engine.growth(0)?.unwrap().starts_with("old 0\n\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn growth(&self, old: u64) -> Result<Option<String>, Error> {
        Ok(self.runtime.shared.journal.growth(old)?)
    }

    /// How it stands with each place that checkpoints are brought to ([`crate::Config::anchors`]). A place that refused is an
    /// alarm: it has a checkpoint of a log that is not this one.
    ///
    /// ```
    /// # use countersign::*;
    /// # use std::sync::Arc;
    /// let anchors: Vec<Arc<dyn Anchor>> = vec![Arc::new(DirectoryAnchor::new("/mnt/elsewhere"))];
    /// let engine = Countersign::in_memory(Config { anchors, ..Config::default() })?;
    /// assert_eq!(engine.anchors()[0].refused, None);
    /// # Ok::<(), OpenError>(())
    /// ```
    #[must_use]
    pub fn anchors(&self) -> Vec<AnchorState> {
        self.anchoring.states()
    }

    /// The public keys that the log was signed with, as `NAME+ID+KEY`; the last one signs now. Whoever is to check receipts
    /// gets the first one, by a way that nobody can tamper with.
    ///
    /// ```
    /// # use countersign::*;
    /// let engine = Countersign::in_memory(Config::default())?;
    /// assert_eq!(engine.verifier_keys().len(), 1);
    /// # Ok::<(), OpenError>(())
    /// ```
    #[must_use]
    pub fn verifier_keys(&self) -> Vec<String> {
        self.runtime.shared.journal.verifier_keys()
    }

    /// Passes on to a fresh signing key while everything goes on. The log gets an entry that both keys have signed, by which
    /// whoever trusts the old key can trust the new one. The call blocks for as long as the disk takes.
    ///
    /// # Errors
    /// As [`Countersign::checkpoint`]; when the engine is closed.
    ///
    /// ```
    /// # use countersign::*;
    /// let engine = Countersign::in_memory(Config::default())?;
    /// let rotated = engine.rotate_signing_key()?;
    /// assert_eq!(engine.verifier_keys(), [rotated.old, rotated.new]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rotate_signing_key(&self) -> Result<Rotated, Error> {
        Ok(self.runtime.shared.journal.rotate_signing_key(self.now())?)
    }
}
