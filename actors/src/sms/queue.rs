//! Messages that wait for their next try, by the routes that carry them.
//!
//! A message whose routes are all busy waits; so do those behind it that have the same routes, and no others.

use std::collections::{BTreeMap, BTreeSet};

use countersign_domain::ids::{Position, UnixMillis};
use countersign_domain::sms::RouteName;

/// The routes of a message, the best first.
pub(super) type Routes = Vec<RouteName>;

/// The waiting lines, one for each choice of routes: a configuration has a few.
#[derive(Default)]
pub(super) struct Queue(BTreeMap<Routes, BTreeSet<(UnixMillis, Position)>>);

impl Queue {
    pub(super) fn insert(&mut self, routes: &Routes, due: UnixMillis, position: Position) {
        self.0.entry(routes.clone()).or_default().insert((due, position));
    }

    pub(super) fn remove(&mut self, routes: &Routes, due: UnixMillis, position: Position) {
        let Some(line) = self.0.get_mut(routes) else { return };
        line.remove(&(due, position));
        if line.is_empty() {
            self.0.remove(routes);
        }
    }

    /// Every line there is.
    pub(super) fn lines(&self) -> Vec<Routes> {
        self.0.keys().cloned().collect()
    }

    /// Who is the first in a line.
    pub(super) fn first(&self, routes: &Routes) -> Option<(UnixMillis, Position)> {
        self.0.get(routes).and_then(|line| line.first().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_apart_and_empty_ones_are_gone() {
        let routes = |names: &[&str]| -> Routes { names.iter().filter_map(|name| RouteName::new(name)).collect() };
        let (one, two) = (routes(&["a"]), routes(&["a", "b"]));
        let mut queue = Queue::default();
        queue.insert(&one, UnixMillis(7), Position(1));
        queue.insert(&two, UnixMillis(5), Position(2));
        queue.insert(&two, UnixMillis(4), Position(3));
        assert_eq!(queue.lines(), [one.clone(), two.clone()]);
        assert_eq!(queue.first(&one), Some((UnixMillis(7), Position(1))));
        assert_eq!(queue.first(&two), Some((UnixMillis(4), Position(3))));
        queue.remove(&one, UnixMillis(7), Position(1));
        assert_eq!((queue.lines(), queue.first(&one)), (vec![two], None));
    }
}
