//! What every page has in common: the frame around it, messages from the page before, fields and choices.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use askama::Template;
use askama::filters::HtmlSafe;
use serde::{Deserialize, Serialize};

use super::assets::Assets;
use crate::engine::UnixMillis;
use crate::wire::time::{at_ms, iso8601};

/// The frame of a page.
pub(super) struct Frame {
    pub(super) title: String,
    pub(super) assets: Arc<Assets>,
    /// The token of the page's forms.
    pub(super) token: String,
    pub(super) flash: Option<Flash>,
    /// Whether a field shows the message, so that it need not stand at the top as well.
    pub(super) told_at_field: Cell<bool>,
    /// Who is signed in.
    pub(super) who: Option<Who>,
    /// Which part of the console it belongs to.
    pub(super) here: &'static str,
    /// Whether this server shows what it would send.
    pub(super) development: bool,
}

impl Frame {
    /// Whether the page says what went wrong; its title then says so first.
    pub(super) fn is_error(&self) -> bool {
        self.flash.as_ref().is_some_and(|flash| flash.tone == Tone::Bad)
    }

    /// What a field held on the page before, when it is shown again.
    pub(super) fn kept(&self, name: &str) -> &str {
        let kept = self.flash.iter().flat_map(|flash| &flash.kept);
        kept.into_iter().find(|(kept, _)| kept == name).map_or("", |(_, value)| value)
    }
}

/// Who is signed in, as the bar at the top says.
pub(super) struct Who {
    pub(super) name: String,
    pub(super) account: String,
    pub(super) level: &'static str,
    pub(super) level_class: &'static str,
    pub(super) administrator: bool,
}

/// How a message sounds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Tone {
    Good,
    Warn,
    Bad,
}

/// A message for the next page. Forms are answered by a redirect, so what there is to say goes with the browser,
/// sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Flash {
    pub(super) tone: Tone,
    pub(super) text: String,
    /// The field that it is about.
    pub(super) field: String,
    /// What was typed in other fields; never a password or a code.
    pub(super) kept: Vec<(String, String)>,
}

impl fmt::Debug for Flash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flash {{ tone: {:?}, field: `{}`, kept: {} }}", self.tone, self.field, self.kept.len())
    }
}

/// The longest value that is kept for the next page, in characters.
const KEPT_CHARS_MAX: usize = 256;

impl Flash {
    fn new(tone: Tone, text: impl Into<String>) -> Self {
        Self { tone, text: text.into(), field: String::new(), kept: Vec::new() }
    }

    pub(super) fn good(text: impl Into<String>) -> Self {
        Self::new(Tone::Good, text)
    }

    pub(super) fn warn(text: impl Into<String>) -> Self {
        Self::new(Tone::Warn, text)
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::new(Tone::Bad, text)
    }

    /// The same about a field of the form.
    pub(super) fn at(mut self, field: &str) -> Self {
        field.clone_into(&mut self.field);
        self
    }

    /// The same, with what was typed.
    pub(super) fn keep(mut self, name: &str, value: &str) -> Self {
        self.kept.push((name.to_owned(), value.chars().take(KEPT_CHARS_MAX).collect()));
        self
    }

    pub(super) const fn class(&self) -> &'static str {
        match self.tone {
            Tone::Good => "note-good",
            Tone::Warn => "note-warn",
            Tone::Bad => "note-bad",
        }
    }

    pub(super) const fn role(&self) -> &'static str {
        match self.tone {
            Tone::Good => "status",
            Tone::Warn | Tone::Bad => "alert",
        }
    }
}

/// A field of a form, with its label, its hint and what is wrong with it.
#[derive(Template)]
#[template(path = "field.html")]
pub(super) struct Field {
    name: &'static str,
    label: String,
    kind: &'static str,
    value: String,
    autocomplete: &'static str,
    inputmode: &'static str,
    length_max: u16,
    hint: String,
    error: String,
    required: bool,
    focus: bool,
}

impl HtmlSafe for Field {}

impl Field {
    pub(super) fn text(name: &'static str, label: impl Into<String>) -> Self {
        Self {
            name,
            label: label.into(),
            kind: "text",
            value: String::new(),
            autocomplete: "off",
            inputmode: "",
            length_max: 256,
            hint: String::new(),
            error: String::new(),
            required: true,
            focus: false,
        }
    }

    /// A password; `autocomplete` says which.
    pub(super) fn password(name: &'static str, label: &str, autocomplete: &'static str) -> Self {
        Self { kind: "password", autocomplete, ..Self::text(name, label) }
    }

    /// Six digits; seven characters, for who types a space in the middle.
    pub(super) fn code(name: &'static str, label: impl Into<String>) -> Self {
        Self { inputmode: "numeric", autocomplete: "one-time-code", length_max: 7, ..Self::text(name, label) }
    }

    pub(super) fn kind(self, kind: &'static str, autocomplete: &'static str) -> Self {
        Self { kind, autocomplete, ..self }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    pub(super) fn length_max(self, length_max: u16) -> Self {
        Self { length_max, ..self }
    }

    pub(super) fn value(self, value: impl Into<String>) -> Self {
        Self { value: value.into(), ..self }
    }

    pub(super) fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    /// The first field of a page gets the focus, unless another one has to be looked at.
    pub(super) fn first(self, frame: &Frame) -> Self {
        let elsewhere = frame.flash.as_ref().is_some_and(|flash| !flash.field.is_empty());
        Self { focus: self.focus || !elsewhere, ..self }
    }

    /// Fills in what the page before has kept and found wrong.
    pub(super) fn after(self, frame: &Frame) -> Self {
        let kept = frame.kept(self.name);
        let value = if kept.is_empty() { self.value } else { kept.to_owned() };
        let about = frame.flash.as_ref().filter(|flash| flash.field == self.name);
        let error = about.map_or_else(String::new, |flash| flash.text.clone());
        if about.is_some() {
            frame.told_at_field.set(true);
        }
        Self { value, focus: self.focus || about.is_some(), error, ..self }
    }

    fn described_by(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.name));
        let error = (!self.error.is_empty()).then(|| format!("{}-error", self.name));
        hint.into_iter().chain(error).collect::<Vec<_>>().join(" ")
    }
}

/// Several answers, of which one is chosen.
#[derive(Template)]
#[template(path = "choice.html")]
pub(super) struct Choice {
    pub(super) name: &'static str,
    pub(super) legend: String,
    pub(super) hint: String,
    pub(super) chosen: String,
    pub(super) options: Vec<ChoiceOption>,
}

impl HtmlSafe for Choice {}

/// One of them.
pub(super) struct ChoiceOption {
    pub(super) value: &'static str,
    pub(super) label: String,
    pub(super) hint: String,
}

impl Choice {
    pub(super) fn new(name: &'static str, legend: &str, chosen: &str) -> Self {
        let (legend, chosen) = (legend.to_owned(), chosen.to_owned());
        Self { name, legend, hint: String::new(), chosen, options: Vec::new() }
    }

    pub(super) fn option(mut self, value: &'static str, label: &str, hint: &str) -> Self {
        self.options.push(ChoiceOption { value, label: label.to_owned(), hint: hint.to_owned() });
        self
    }
}

/// An instant as a page shows it.
#[derive(Clone, Template)]
#[template(path = "when.html")]
pub(super) struct When {
    iso: String,
    text: String,
}

impl HtmlSafe for When {}

impl When {
    pub(super) fn at(at: UnixMillis) -> Self {
        Self { iso: iso8601(at.0), text: at_ms(at.0).format("%-d %b %Y, %H:%M UTC").to_string() }
    }
}

/// A page with one form: most pages of the console.
#[derive(Template)]
#[template(path = "form.html")]
pub(super) struct FormPage {
    pub(super) frame: Frame,
    pub(super) steps: Option<(u8, u8)>,
    pub(super) lead: Vec<String>,
    pub(super) notices: Vec<String>,
    pub(super) action: String,
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) choices: Vec<Choice>,
    pub(super) fields: Vec<Field>,
    pub(super) submit: String,
    pub(super) danger: bool,
    pub(super) cancel: String,
    /// Another form with a button alone: where it goes, and what is on it.
    pub(super) also: Option<(String, String)>,
}

impl FormPage {
    pub(super) fn new(frame: Frame, action: &str, submit: &str, cancel: &str) -> Self {
        Self {
            frame,
            steps: None,
            lead: Vec::new(),
            notices: Vec::new(),
            action: action.to_owned(),
            hidden: Vec::new(),
            choices: Vec::new(),
            fields: Vec::new(),
            submit: submit.to_owned(),
            danger: false,
            cancel: cancel.to_owned(),
            also: None,
        }
    }

    pub(super) fn lead(mut self, text: impl Into<String>) -> Self {
        self.lead.push(text.into());
        self
    }

    pub(super) fn notice(mut self, text: Option<impl Into<String>>) -> Self {
        self.notices.extend(text.map(Into::into));
        self
    }

    pub(super) fn steps(self, step: u8, of: u8) -> Self {
        Self { steps: Some((step, of)), ..self }
    }

    pub(super) fn hide(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.hidden.push((name, value.into()));
        self
    }

    /// Adds a field, filled in as the page before left it; the first gets the focus.
    pub(super) fn field(mut self, field: Field) -> Self {
        let field = field.after(&self.frame);
        let field = if self.fields.is_empty() { field.first(&self.frame) } else { field };
        self.fields.push(field);
        self
    }

    pub(super) fn choice(mut self, choice: Choice) -> Self {
        self.choices.push(choice);
        self
    }
}
