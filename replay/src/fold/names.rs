//! Who is meant: names are bindings that change, unique ids never (rules R9 and R10).

use std::collections::HashMap;
use std::sync::Arc;

use super::finding::FindingKind;
use super::life::Life;
use crate::event::{Observed, Who};
use crate::time::Time;

type Key = (Arc<str>, String);

fn key(account: &Arc<str>, name: &str) -> Key {
    (Arc::clone(account), name.to_lowercase())
}

/// Every principal, by all that it is called.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) lives: Vec<Life>,
    roots: HashMap<Arc<str>, usize>,
    uids: HashMap<(Arc<str>, Arc<str>), usize>,
    /// Who had a name, from when on; the last one has it, or had it until deletion.
    bound: HashMap<Key, Vec<(Time, usize)>>,
    generations: HashMap<Key, u32>,
}

/// Who is meant, and whether that contradicts the history.
pub(super) struct Meant {
    pub(super) life: usize,
    pub(super) finding: Option<FindingKind>,
}

impl Names {
    /// Who opened a session. Its records may carry a later name than the one at its opening.
    pub(super) fn meant_by_session(&mut self, who: &Who, at: Time) -> Option<Meant> {
        let by_uid = match who {
            Who::User { account, uid: Some(uid), .. } => self.by_uid(account, uid),
            _ => None,
        };
        by_uid.map(|life| Meant { life, finding: None }).or_else(|| self.meant(who, at))
    }

    /// Who is meant by a record that changes or shows something. Somebody unheard of is there from now on.
    pub(super) fn meant(&mut self, who: &Who, at: Time) -> Option<Meant> {
        let (account, name, uid) = match who {
            Who::Root { account } => return Some(Meant { life: self.root(account), finding: None }),
            Who::User { account, name, uid } => (account, name.as_ref(), uid.as_ref()),
        };
        if let Some(life) = uid.and_then(|uid| self.by_uid(account, uid)) {
            self.called(life, account, name, at);
            return Some(Meant { life, finding: None });
        }
        let bound = name.and_then(|name| self.by_name(account, name));
        let (life, finding) = match (bound, name) {
            (Some(life), Some(name)) if self.lives[life].deleted.is_some() => {
                let not_before = self.lives[life].deleted.as_ref().map(|event| event.at);
                let life = self.newcomer(account, Some(name), at);
                self.lives[life].not_before = not_before;
                (life, Some(FindingKind::ImpliedRecreation))
            }
            (Some(life), Some(name)) if uid.is_some() && self.lives[life].uid.is_some() => {
                (self.newcomer(account, Some(name), at), Some(FindingKind::UidChangedWithoutDelete))
            }
            (Some(life), _) => (life, None),
            (None, _) => (self.newcomer(account, name, at), None),
        };
        if let Some(uid) = uid {
            self.identify(life, account, uid);
        }
        (name.is_some() || uid.is_some()).then_some(Meant { life, finding })
    }

    /// Who has just been created.
    pub(super) fn created(&mut self, who: &Who, at: Time) -> Option<Meant> {
        let (account, name, uid) = match who {
            Who::Root { account } => return Some(Meant { life: self.root(account), finding: None }),
            Who::User { account, name, uid } => (account, name, uid),
        };
        if let Some(life) = uid.as_ref().and_then(|uid| self.by_uid(account, uid)) {
            self.called(life, account, name.as_ref(), at);
            return Some(Meant { life, finding: None });
        }
        let bound = name.as_ref().and_then(|name| self.by_name(account, name));
        let taken = bound.is_some_and(|life| self.lives[life].deleted.is_none());
        let life = self.newcomer(account, name.as_ref(), at);
        if let Some(uid) = uid {
            self.identify(life, account, uid);
        }
        Some(Meant { life, finding: taken.then_some(FindingKind::RecreatedWithoutDelete) })
    }

    /// Who had a name just before it was bound anew.
    pub(super) fn predecessor(&self, who: &Who, life: usize) -> Option<usize> {
        let Who::User { account, name: Some(name), .. } = who else { return None };
        let holders = self.bound.get(&key(account, name))?;
        holders.iter().rev().map(|(_, holder)| *holder).find(|holder| *holder != life)
    }

    /// Who has a name, and is there.
    pub(super) fn holder(&self, account: &str, name: &str) -> Option<usize> {
        self.by_name(&Arc::from(account), name).filter(|life| self.lives[*life].deleted.is_none())
    }

    /// Gives a principal another name, and frees the old one.
    pub(super) fn renamed(&mut self, life: usize, to: &Arc<str>, at: Time) {
        let account = Arc::clone(&self.lives[life].account);
        let current = self.lives[life].names.last_mut();
        match current.filter(|(old, _)| old.to_lowercase() == to.to_lowercase()) {
            Some((name, _)) => *name = Arc::clone(to),
            None => self.bind(life, &account, to, at),
        }
    }

    /// Learns a unique id from a record that is about somebody else.
    pub(super) fn learn(&mut self, who: &Who) {
        let Who::User { account, name: Some(name), uid: Some(uid) } = who else { return };
        if self.by_uid(account, uid).is_some() {
            return;
        }
        if let Some(life) = self.by_name(account, name) {
            let known = &self.lives[life];
            if known.uid.is_none() && known.deleted.is_none() {
                self.identify(life, account, uid);
            }
        }
    }

    /// Who was meant at an instant by a record that changes nothing, if that is anybody of the history.
    pub(super) fn known(&self, who: &Who, at: Time) -> Option<usize> {
        let (account, name, uid) = match who {
            Who::Root { account } => return self.roots.get(account).copied(),
            Who::User { account, name, uid } => (account, name.as_ref(), uid.as_ref()),
        };
        if let Some(life) = uid.and_then(|uid| self.by_uid(account, uid)) {
            return Some(life);
        }
        let holders = self.bound.get(&key(account, name?))?;
        let then = holders.iter().rev().find(|(from, _)| *from <= at).or_else(|| holders.first());
        then.map(|(_, life)| *life)
    }

    fn root(&mut self, account: &Arc<str>) -> usize {
        let lives = &mut self.lives;
        *self.roots.entry(Arc::clone(account)).or_insert_with(|| {
            lives.push(Life::new(Arc::clone(account), true));
            lives.len() - 1
        })
    }

    fn by_uid(&self, account: &Arc<str>, uid: &Arc<str>) -> Option<usize> {
        self.uids.get(&(Arc::clone(account), Arc::clone(uid))).copied()
    }

    /// Who has a name, or had it last; nobody, when its holder has another name by now.
    fn by_name(&self, account: &Arc<str>, name: &str) -> Option<usize> {
        let (_, life) = self.bound.get(&key(account, name))?.last()?;
        let current = self.lives[*life].names.last().map(|(name, _)| name.to_lowercase());
        (current.as_deref() == Some(&name.to_lowercase())).then_some(*life)
    }

    fn newcomer(&mut self, account: &Arc<str>, name: Option<&Arc<str>>, at: Time) -> usize {
        self.lives.push(Life::new(Arc::clone(account), false));
        let life = self.lives.len() - 1;
        if let Some(name) = name {
            self.bind(life, account, name, at);
        }
        life
    }

    fn bind(&mut self, life: usize, account: &Arc<str>, name: &Arc<str>, at: Time) {
        let key = key(account, name);
        // A name that somebody takes again is no other principal's.
        let names = &self.lives[life].names;
        let again = names.iter().find(|(known, _)| known.to_lowercase() == key.1).map(|(_, generation)| *generation);
        let generation = again.unwrap_or_else(|| {
            let generation = self.generations.entry(key.clone()).or_default();
            *generation += 1;
            *generation
        });
        self.lives[life].names.push((Arc::clone(name), generation));
        self.bound.entry(key).or_default().push((at, life));
    }

    /// Somebody known by unique id is called by a name, maybe a new one: then the record of the renaming is missing.
    fn called(&mut self, life: usize, account: &Arc<str>, name: Option<&Arc<str>>, at: Time) {
        let Some(name) = name.filter(|_| self.lives[life].deleted.is_none()) else { return };
        let same = self.lives[life].names.last().is_some_and(|(known, _)| known.to_lowercase() == name.to_lowercase());
        if !same {
            self.bind(life, account, name, at);
        }
    }

    fn identify(&mut self, life: usize, account: &Arc<str>, uid: &Arc<str>) {
        self.lives[life].uid = Some(Arc::clone(uid));
        self.uids.insert((Arc::clone(account), Arc::clone(uid)), life);
    }

    /// Marks who must be gone, because another has the name.
    pub(super) fn supersede(&mut self, life: usize, event: &Arc<Observed>) {
        if self.lives[life].deleted.is_none() {
            self.lives[life].deleted = Some(Arc::clone(event));
            self.lives[life].step(event, 0, true);
        }
    }
}
