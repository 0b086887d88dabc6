//! How the links are.

use tokio::sync::watch;

/// How the links to an SMSC are, and what happened to them since the transport was started.
///
/// ```
/// let at_first = countersign_smpp::SmppHealth::default();
/// assert!(!at_first.submits && at_first.decode_errors == 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SmppHealth {
    /// A link is bound on which messages can be submitted.
    pub submits: bool,
    /// A link is bound on which receipts can come.
    pub receipts: bool,
    /// Binds that came about.
    pub binds: u64,
    /// Binds that the SMSC refused, as it does with a wrong password.
    pub refusals: u64,
    /// Connections, TLS or binds that did not come about for another reason.
    pub failures: u64,
    /// Bound links that were lost, those with a decode error among them.
    pub losses: u64,
    /// Links that were given up because the SMSC sent what cannot be decoded. When this grows, a receipt is being sent
    /// again and again that somebody must take out there.
    pub decode_errors: u64,
    /// Receipts that cannot be understood; they were acknowledged, and dropped.
    pub unclear: u64,
    /// Messages of people; they were acknowledged, and dropped.
    pub messages: u64,
    /// Receipts that the SMSC was asked to deliver later, because too many waited to be recorded.
    pub put_off: u64,
}

/// Counts something.
pub(crate) fn count(health: &watch::Sender<SmppHealth>, field: impl FnOnce(&mut SmppHealth) -> &mut u64) {
    health.send_modify(|health| {
        let field = field(health);
        *field = field.saturating_add(1);
    });
}
