//! Walking through a log command by command, forwards and back, with breakpoints. Orders come from a reader, so that a walk
//! can be a script.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write};
use std::ops::ControlFlow;

use countersign_domain::event::Event;
use countersign_domain::ids::{Position, StreamId, UnixMillis};
use countersign_domain::principal::{Principal, Sync};
use countersign_store::EntryRef;

use super::describe::describe;
use super::error::OwnError;
use super::read::{Entries, Sealed, event_of};
use super::states::{Life, Person, States};
use super::subject::{device_of, principal_of};
use super::words::{instant, shown};

/// The longest order, in bytes.
const ORDER_BYTES_MAX: u64 = 4096;
/// Breakpoints that may be set.
const BREAKS_MAX: usize = 100;

const HELP: &str = "next [N]            go on by N commands (n)
back [N]            go back by N commands (b)
goto POSITION       go to the command that has this position (g)
break principal ID  stop where this principal is concerned
break device TEXT   stop where a device whose serial has this text is concerned
break event NAME    stop at events of this type, such as CodeRefused
breaks              list the breakpoints
clear [NUMBER]      remove one breakpoint, or all of them
continue            go on to the next breakpoint, or to the end (c)
show [PRINCIPAL]    the state of a principal here, or of all of them (s)
where               where this is (w)
quit                end (q)
";

/// Where to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Break {
    Principal(String),
    Device(String),
    Event(String),
}

impl Break {
    fn describe(&self) -> String {
        match self {
            Self::Principal(text) => format!("principal {}", shown(text)),
            Self::Device(text) => format!("device {}", shown(text)),
            Self::Event(text) => format!("event {}", shown(text)),
        }
    }
}

/// What one command recorded, once it was taken.
struct Taken {
    lines: Vec<String>,
    hits: Vec<usize>,
}

/// A walk through a log.
pub struct Walk<'a> {
    log: &'a dyn Entries,
    states: States,
    /// How many entries were taken; always between two commands.
    next: Position,
    /// Where each command begins that was taken.
    begins: Vec<Position>,
    at: Option<UnixMillis>,
    breaks: Vec<Break>,
}

impl std::fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Walk").field("next", &self.next).field("breaks", &self.breaks).finish_non_exhaustive()
    }
}

impl<'a> Walk<'a> {
    /// A walk that stands before the first entry.
    #[must_use]
    pub fn new(log: &'a dyn Entries) -> Self {
        let (states, begins, breaks) = (States::default(), Vec::new(), Vec::new());
        Self { log, states, next: Position(0), begins, at: None, breaks }
    }

    /// Takes orders until they end, and says what they come to. `prompt` stands before each order.
    ///
    /// # Errors
    /// When the log cannot be read. A wrong order is answered and does not end the walk.
    pub fn run(&mut self, mut orders: impl BufRead, out: &mut dyn Write, prompt: Option<&str>) -> Result<(), OwnError> {
        // A reader that went away ends the walk, and is no error.
        let mut say = |text: &str| out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok();
        loop {
            if let Some(prompt) = prompt
                && !say(prompt)
            {
                return Ok(());
            }
            let Some(order) = read_order(&mut orders) else { return Ok(()) };
            let answer = match self.order(&order) {
                Ok(Some(answer)) => answer,
                Ok(None) => return Ok(()),
                Err(OwnError::Usage(what)) => format!("{what}\n"),
                Err(cause) => return Err(cause),
            };
            if !say(&answer) {
                return Ok(());
            }
        }
    }

    /// Does one order; `None` ends the walk.
    ///
    /// # Errors
    /// When the order makes no sense, or the log cannot be read.
    pub fn order(&mut self, order: &str) -> Result<Option<String>, OwnError> {
        let mut words = order.split_whitespace();
        let Some(verb) = words.next() else { return Ok(Some(String::new())) };
        let rest: Vec<&str> = words.collect();
        let answer = match verb {
            "next" | "n" => self.forward(number(rest.first().copied())?)?,
            "back" | "b" => self.back(number(rest.first().copied())?)?,
            "goto" | "g" => {
                let position = rest.first().and_then(|text| text.parse().ok());
                self.go_to(Position(position.ok_or_else(|| usage("goto which position"))?))?
            }
            "break" => self.set_break(&rest)?,
            "breaks" => self.list_breaks(),
            "clear" => self.clear(rest.first().copied())?,
            "continue" | "c" => self.go_on()?,
            "show" | "s" => self.show(rest.first().copied())?,
            "where" | "w" => self.place(),
            "help" | "?" => HELP.to_owned(),
            "quit" | "q" => return Ok(None),
            other => return Err(usage(&format!("there is no order `{}`; `help` lists them", shown(other)))),
        };
        Ok(Some(answer))
    }

    fn forward(&mut self, count: u64) -> Result<String, OwnError> {
        let mut out = String::new();
        for _ in 0..count {
            match self.take()? {
                Some(taken) => taken.lines.iter().for_each(|line| push(&mut out, line)),
                None => {
                    push(&mut out, "the log ends here");
                    break;
                }
            }
        }
        Ok(out)
    }

    fn back(&mut self, count: u64) -> Result<String, OwnError> {
        let keep = self.begins.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
        let Some(target) = self.begins.get(keep).copied() else { return Ok(self.place()) };
        self.return_to(target)?;
        Ok(self.place())
    }

    fn go_to(&mut self, position: Position) -> Result<String, OwnError> {
        if position >= self.log.head() {
            return Err(usage(&format!("the log ends before position {}", self.log.head())));
        }
        if position < self.next {
            let command = self.begins.partition_point(|begin| *begin <= position).saturating_sub(1);
            let target = self.begins.get(command).copied().unwrap_or(Position(0));
            self.return_to(target)?;
        }
        let mut last = None;
        while self.next <= position {
            match self.take()? {
                Some(taken) => last = Some(taken),
                None => break,
            }
        }
        let mut out = String::new();
        last.iter().flat_map(|taken| &taken.lines).for_each(|line| push(&mut out, line));
        Ok(out)
    }

    /// States cannot be taken back, so they are made anew up to there.
    fn return_to(&mut self, target: Position) -> Result<(), OwnError> {
        let breaks = std::mem::take(&mut self.breaks);
        *self = Self { breaks, ..Self::new(self.log) };
        while self.next < target {
            if self.take()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn go_on(&mut self) -> Result<String, OwnError> {
        while let Some(taken) = self.take()? {
            if !taken.hits.is_empty() {
                let mut out = String::new();
                for hit in &taken.hits {
                    push(&mut out, &format!("breakpoint {}: {}", hit + 1, self.breaks[*hit].describe()));
                }
                taken.lines.iter().for_each(|line| push(&mut out, line));
                return Ok(out);
            }
        }
        Ok("the log ends here\n".to_owned())
    }

    fn set_break(&mut self, words: &[&str]) -> Result<String, OwnError> {
        let [kind, text] = words else { return Err(usage("break at which principal, device or event")) };
        let text = (*text).to_owned();
        let found = match *kind {
            "principal" => Break::Principal(text),
            "device" => Break::Device(text),
            "event" => Break::Event(text),
            _ => return Err(usage("break at which principal, device or event")),
        };
        if self.breaks.len() >= BREAKS_MAX {
            return Err(usage("there are too many breakpoints"));
        }
        self.breaks.push(found);
        Ok(self.list_breaks())
    }

    fn list_breaks(&self) -> String {
        let mut out = String::new();
        for (number, found) in self.breaks.iter().enumerate() {
            push(&mut out, &format!("breakpoint {}: {}", number + 1, found.describe()));
        }
        out
    }

    fn clear(&mut self, number: Option<&str>) -> Result<String, OwnError> {
        let Some(text) = number else {
            self.breaks.clear();
            return Ok(String::new());
        };
        let number = text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match number.filter(|number| *number < self.breaks.len()) {
            Some(number) => drop(self.breaks.remove(number)),
            None => return Err(usage("there is no such breakpoint")),
        }
        Ok(self.list_breaks())
    }

    fn place(&self) -> String {
        match self.at {
            Some(at) => format!("before position {} of {}, {}\n", self.next, self.log.head(), instant(at)),
            None => format!("before position {} of {}\n", self.next, self.log.head()),
        }
    }

    fn show(&self, wanted: Option<&str>) -> Result<String, OwnError> {
        let mut people: Vec<(String, StreamId, &Person)> =
            self.states.people.iter().map(|(stream, person)| (person.label(*stream), *stream, person)).collect();
        people.retain(|(label, _, person)| wanted.is_none_or(|wanted| is_meant(label, person, wanted)));
        if let Some(wanted) = wanted.filter(|_| people.is_empty()) {
            return Err(usage(&format!("there is no principal `{}` here", shown(wanted))));
        }
        people.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        let mut out = String::new();
        for (label, _, person) in people {
            let status = match (person.gone, person.enabled.is_empty()) {
                (Some(_), _) => "deleted",
                (None, true) => "disabled",
                (None, false) => "enabled",
            };
            push(&mut out, &format!("{} {status}", shown(&label)));
            for line in self.devices(person) {
                push(&mut out, &line);
            }
        }
        Ok(out)
    }

    fn devices(&self, person: &Person) -> Vec<String> {
        let registered = match &person.life {
            Life::Known(state) => state.as_ref().as_ref().and_then(Principal::registered),
            Life::Sealed { .. } => None,
        };
        let line = |device: &StreamId| {
            let serial = shown(&self.states.serial(*device));
            match registered.and_then(|owner| owner.device(*device)).filter(|enabled| enabled.kind.is_totp()) {
                Some(enabled) => {
                    let sync = match enabled.sync {
                        Sync::InSync { misses } => format!("{misses} misses"),
                        Sync::OutOfSync { misses, steps } => format!("{misses} misses, {steps} steps out of sync"),
                    };
                    let used = enabled.learned.codes.used;
                    format!(
                        "  {serial} {} steps ahead, {used} codes in its last window, {sync}",
                        enabled.learned.offset
                    )
                }
                None => format!("  {serial}"),
            }
        };
        person.enabled.iter().map(|(device, _)| line(device)).collect()
    }

    /// Takes what the next command recorded.
    fn take(&mut self) -> Result<Option<Taken>, OwnError> {
        if self.next >= self.log.head() {
            return Ok(None);
        }
        let (log, from) = (self.log, self.next);
        let mut parts: Vec<(StreamId, Position, Result<Event, Sealed>)> = Vec::new();
        let mut failed = None;
        let (states, at) = (&mut self.states, &mut self.at);
        let end = log.scan(from, &mut |entry: EntryRef<'_>| {
            let taken = event_of(log, &entry).and_then(|event| {
                states.take(&entry, event.as_ref().map_err(|why| *why))?;
                *at = Some(entry.header.time);
                parts.push((entry.header.stream, entry.position, event));
                Ok(entry.header.part + 1 == entry.header.parts)
            });
            match taken {
                Ok(false) => ControlFlow::Continue(()),
                Ok(true) => ControlFlow::Break(()),
                Err(cause) => {
                    failed = Some(cause);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(cause) = failed {
            return Err(cause);
        }
        self.begins.push(from);
        self.next = end;
        let time = self.at.map(instant).unwrap_or_default();
        let mut taken = Taken { lines: Vec::new(), hits: Vec::new() };
        for (stream, position, event) in &parts {
            let says = match event {
                Ok(event) => describe(*stream, event, &self.states),
                Err(why) => format!("sealed ({})", why.as_str()),
            };
            taken.lines.push(format!("{time} [{position}] {}", shown(&says)));
            for (number, found) in self.breaks.iter().enumerate() {
                if self.hits(found, *stream, event.as_ref().ok()) && !taken.hits.contains(&number) {
                    taken.hits.push(number);
                }
            }
        }
        Ok(Some(taken))
    }

    fn hits(&self, found: &Break, stream: StreamId, event: Option<&Event>) -> bool {
        match found {
            Break::Event(name) => event.is_some_and(|event| event.name().eq_ignore_ascii_case(name)),
            Break::Principal(wanted) => {
                let who = event.map_or(stream, |event| principal_of(stream, event));
                let person = self.states.people.get(&who);
                person.is_some_and(|person| is_meant(&person.label(who), person, wanted))
            }
            Break::Device(text) => {
                let device = event.and_then(device_of).unwrap_or(stream);
                self.states.serial(device).contains(text.as_str())
            }
        }
    }
}

fn is_meant(label: &str, person: &Person, wanted: &str) -> bool {
    let named = person.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
    let uid = person.id().map(ToString::to_string);
    label == wanted
        || (named && !person.is_root())
        || uid.is_some_and(|uid| uid == wanted || uid.ends_with(&format!("/{wanted}")))
}

fn push(out: &mut String, line: &str) {
    // Writing into a string does not fail.
    let _written = writeln!(out, "{line}");
}

fn usage(what: &str) -> OwnError {
    OwnError::Usage(what.to_owned())
}

fn number(text: Option<&str>) -> Result<u64, OwnError> {
    text.map_or(Ok(1), |text| text.parse().map_err(|_| usage("how many")))
}

/// The next order; `None` at the end, or when it is no text.
fn read_order(orders: &mut impl BufRead) -> Option<String> {
    let mut order = String::new();
    let read = io::Read::take(&mut *orders, ORDER_BYTES_MAX).read_line(&mut order).ok()?;
    (read > 0).then_some(order)
}
