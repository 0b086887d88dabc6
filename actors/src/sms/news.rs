//! Something that moves, and that several wait for.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Something that moves. Those who wait are woken in the order in which they began to, so that a run can be repeated: a watch
/// channel wakes them in an order of its own.
#[derive(Clone, Default)]
pub(crate) struct News(Arc<Inner>);

#[derive(Default)]
struct Inner {
    moves: AtomicU64,
    bell: Notify,
}

impl News {
    /// How often it has moved.
    pub(crate) fn seen(&self) -> u64 {
        self.0.moves.load(Ordering::SeqCst)
    }

    /// Moves it.
    pub(crate) fn tell(&self) {
        self.0.moves.fetch_add(1, Ordering::SeqCst);
        self.0.bell.notify_waiters();
    }

    /// Waits until it has moved since it was seen, and says how often it has by then.
    pub(crate) async fn after(&self, seen: u64) -> u64 {
        loop {
            let mut told = pin!(self.0.bell.notified());
            // From here on nothing is missed.
            told.as_mut().enable();
            let now = self.seen();
            if now != seen {
                return now;
            }
            told.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_moved_before_is_not_waited_for() {
        let news = News::default();
        let seen = news.seen();
        news.tell();
        news.tell();
        assert_eq!(news.after(seen).await, 2);
        let waits = tokio::spawn({
            let news = news.clone();
            async move { news.after(2).await }
        });
        tokio::task::yield_now().await;
        news.tell();
        assert_eq!(waits.await.unwrap(), 3);
    }
}
