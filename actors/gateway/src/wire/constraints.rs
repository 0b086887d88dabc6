//! Checks of single parameters, with the messages that clients of the services know (R55).
//!
//! Violations are collected, so that one answer names all of them. IAM leaves the offending value
//! out of its message and STS quotes it (R55, R134). A value that cannot be read at all is another
//! error and comes first (R205).

use crate::errors::{ApiError, Service};
use crate::wire::form::Params;

/// The longest part of an offending value that an answer repeats, in characters.
const QUOTED_CHARS_MAX: usize = 256;

/// The characters that a value may have, with the pattern that names them in a message (R219).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pattern {
    /// Anything.
    Any,
    /// Names of users and devices: `[\w+=,.@-]+`.
    Name,
    /// Serial numbers: `[\w+=/:,.@-]+`.
    Serial,
    /// Serial numbers as STS prints its pattern.
    SerialSts,
    /// Codes: `[\d]+`.
    Digits,
    /// Codes as STS prints its pattern.
    DigitsSts,
    /// Markers: `[\u0020-\u00FF]+`.
    Marker,
    /// Access key ids: `[\w]+`.
    Word,
}

impl Pattern {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Any => "[\\s\\S]*",
            Self::Name => "[\\w+=,.@-]+",
            Self::Serial => "[\\w+=/:,.@-]+",
            Self::SerialSts => "[\\w+=/:,.@-]*",
            Self::Digits => "[\\d]+",
            Self::DigitsSts => "[\\d]*",
            Self::Marker => "[\\u0020-\\u00FF]+",
            Self::Word => "[\\w]+",
        }
    }

    /// Whether the value is of this pattern. `\w` and `\d` are ASCII (R219).
    pub(crate) fn allows(self, value: &str) -> bool {
        if value.is_empty() {
            return self.as_str().ends_with('*');
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        value.chars().all(|c| match self {
            Self::Any => true,
            Self::Name => word(c) || "+=,.@-".contains(c),
            Self::Serial | Self::SerialSts => word(c) || "+=/:,.@-".contains(c),
            Self::Digits | Self::DigitsSts => c.is_ascii_digit(),
            Self::Marker => ('\u{20}'..='\u{ff}').contains(&c),
            Self::Word => word(c),
        })
    }
}

/// What a text parameter has to be.
#[derive(Clone, Copy, Debug)]
pub struct TextRule {
    /// Its name in the form.
    pub name: &'static str,
    /// The fewest characters.
    pub chars_min: usize,
    /// The most characters.
    pub chars_max: usize,
    /// The characters it may have.
    pub pattern: Pattern,
}

/// Collects the violations of a request.
#[derive(Debug)]
pub struct Checks<'a> {
    params: &'a Params,
    service: Service,
    violations: Vec<String>,
    unreadable: Option<ApiError>,
    objection: Option<ApiError>,
}

impl<'a> Checks<'a> {
    /// Starts the checks of a request to a service.
    #[must_use]
    pub const fn new(params: &'a Params, service: Service) -> Self {
        Self { params, service, violations: Vec::new(), unreadable: None, objection: None }
    }

    /// The parameters that are checked.
    #[must_use]
    pub const fn params(&self) -> &'a Params {
        self.params
    }

    /// A text that has to be there.
    pub fn required(&mut self, rule: TextRule) -> String {
        if self.params.get(rule.name).is_none() {
            self.missing(&lower_camel(rule.name));
        }
        self.optional(rule).unwrap_or_default()
    }

    /// A text that may be there.
    pub fn optional(&mut self, rule: TextRule) -> Option<String> {
        self.refuse_list(rule.name);
        let value = self.params.get(rule.name)?;
        self.check_text(&lower_camel(rule.name), value, rule);
        Some(value.to_owned())
    }

    /// Checks a text found elsewhere, under the path that a message shows.
    pub fn check_text(&mut self, at: &str, value: &str, rule: TextRule) {
        let chars = value.chars().count();
        if chars < rule.chars_min {
            let least = rule.chars_min;
            let what = format!("Member must have length greater than or equal to {least}");
            self.violated(at, value, &what);
        }
        if chars > rule.chars_max {
            let most = rule.chars_max;
            let what = format!("Member must have length less than or equal to {most}");
            self.violated(at, value, &what);
        }
        if !rule.pattern.allows(value) {
            let pattern = rule.pattern.as_str();
            let what = format!("Member must satisfy regular expression pattern: {pattern}");
            self.violated(at, value, &what);
        }
    }

    /// An integer that may be there, within a range (R205).
    pub fn integer(&mut self, name: &'static str, least: u32, most: u32) -> Option<u32> {
        self.refuse_list(name);
        let text = self.params.get(name)?;
        let at = lower_camel(name);
        let Some(value) = parse_integer(text) else {
            self.unreadable(ApiError::MalformedInput(format!("'{at}' is not an integer")));
            return None;
        };
        if value < i64::from(least) {
            let what = format!("Member must have value greater than or equal to {least}");
            self.violated(&at, text, &what);
        }
        if value > i64::from(most) {
            let what = format!("Member must have value less than or equal to {most}");
            self.violated(&at, text, &what);
        }
        u32::try_from(value).ok()
    }

    /// One of a set of words, that may be there (R160).
    pub fn one_of<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.refuse_list(name);
        let value = self.params.get(name)?;
        if let Some((_, found)) = words.iter().find(|(word, _)| *word == value) {
            return Some(*found);
        }
        let set: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let what = format!("Member must satisfy enum value set: [{}]", set.join(", "));
        self.violated(&lower_camel(name), value, &what);
        None
    }

    /// Notes that something is not there (R55).
    pub fn missing(&mut self, at: &str) {
        self.violations.push(format!("Value null at '{at}' failed to satisfy constraint: Member must not be null"));
    }

    /// Notes a violation.
    pub fn violated(&mut self, at: &str, value: &str, what: &str) {
        let quoted = match self.service {
            Service::Iam => String::new(),
            Service::Sts => {
                let shown: String = value.chars().take(QUOTED_CHARS_MAX).collect();
                format!("'{shown}' ")
            }
        };
        self.violations.push(format!("Value {quoted}at '{at}' failed to satisfy constraint: {what}"));
    }

    /// Notes something that cannot be read; the first one is answered.
    pub fn unreadable(&mut self, error: ApiError) {
        self.unreadable.get_or_insert(error);
    }

    /// Notes an error that has words of its own; the first one is answered, after all constraints.
    pub fn object(&mut self, error: ApiError) {
        self.objection.get_or_insert(error);
    }

    /// Ends the checks.
    ///
    /// # Errors
    /// What could not be read, or else all violations in one text, or else the first objection.
    pub fn finish(self) -> Result<(), ApiError> {
        if let Some(error) = self.unreadable {
            return Err(error);
        }
        if let (count @ 1.., text) = (self.violations.len(), self.violations.join("; ")) {
            let noun = if count == 1 { "validation error" } else { "validation errors" };
            return Err(ApiError::Validation(format!("{count} {noun} detected: {text}")));
        }
        self.objection.map_or(Ok(()), Err)
    }

    /// Refuses a list where a single value belongs (R204).
    fn refuse_list(&mut self, name: &str) {
        let prefix = format!("{name}.");
        if self.params.with_prefix(&prefix).next().is_some() {
            let text = "Start of list found where not expected";
            self.unreadable(ApiError::MalformedInput(text.into()));
        }
    }
}

/// The name of a member as messages write it: `UserName` is `userName`, and `MFADevice` is `mFADevice`.
fn lower_camel(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + chars.as_str())
}

/// Digits with an optional plus or minus, within 32 bits (R205).
fn parse_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value: i64 = text.parse().ok()?;
    i32::try_from(value).ok().map(i64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: TextRule = TextRule { name: "TokenCode", chars_min: 6, chars_max: 6, pattern: Pattern::DigitsSts };
    const USER: TextRule = TextRule { name: "UserName", chars_min: 1, chars_max: 128, pattern: Pattern::Any };

    fn text(form: &str, service: Service, check: impl Fn(&mut Checks<'_>)) -> String {
        let params = Params::parse(form.as_bytes()).unwrap();
        let mut checks = Checks::new(&params, service);
        check(&mut checks);
        checks.finish().map_or_else(|error| error.to_string(), |()| "ok".into())
    }

    #[test]
    fn sts_quotes_the_value_and_iam_does_not() {
        assert_eq!(
            text("TokenCode=12345", Service::Sts, |c| drop(c.optional(CODE))),
            "ValidationError: 1 validation error detected: Value '12345' at 'tokenCode' failed to satisfy constraint: Member must have length greater than or equal to 6"
        );
        assert_eq!(
            text("TokenCode=1234567", Service::Iam, |c| drop(c.optional(CODE))),
            "ValidationError: 1 validation error detected: Value at 'tokenCode' failed to satisfy constraint: Member must have length less than or equal to 6"
        );
    }

    #[test]
    fn several_violations_are_joined() {
        let text = text("TokenCode=12a", Service::Iam, |c| {
            c.required(USER);
            c.required(CODE);
        });
        assert_eq!(
            text,
            "ValidationError: 3 validation errors detected: Value null at 'userName' failed to satisfy constraint: Member must not be null; Value at 'tokenCode' failed to satisfy constraint: Member must have length greater than or equal to 6; Value at 'tokenCode' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\d]*"
        );
    }

    #[test]
    fn digits_and_names_are_ascii() {
        for bad in ["１２３４５６", "12345 ", "123 456", "+12345", "12345\u{660}"] {
            assert!(!Pattern::Digits.allows(bad), "{bad}");
        }
        assert!(!Pattern::Name.allows("ülle") && !Pattern::Name.allows("a/b"));
        assert!(Pattern::Name.allows("a_b+c=d,e.f@g-h") && Pattern::Serial.allows("arn:aws:x/y"));
    }

    #[test]
    fn integers_are_read_like_the_services_read_them() {
        let read = |form: &str| {
            text(form, Service::Iam, |c| {
                c.integer("MaxItems", 1, 1000);
            })
        };
        for good in ["MaxItems=1", "MaxItems=01", "MaxItems=%2B1", "MaxItems=1000"] {
            assert_eq!(read(good), "ok", "{good}");
        }
        for bad in ["MaxItems=", "MaxItems=1.0", "MaxItems=1e2", "MaxItems=+1", "MaxItems=99999999999"] {
            assert!(read(bad).starts_with("MalformedInput: "), "{bad}");
        }
        assert!(read("MaxItems=0").contains("greater than or equal to 1"));
        assert!(read("MaxItems=-1").contains("greater than or equal to 1"));
        assert!(read("MaxItems=1001").contains("less than or equal to 1000"));
    }

    #[test]
    fn a_bad_word_names_the_set_and_a_list_is_no_word() {
        let words = [("Assigned", 1), ("Unassigned", 2), ("Any", 3)];
        let read = |form: &str| {
            text(form, Service::Iam, |c| {
                c.one_of("AssignmentStatus", &words);
            })
        };
        assert!(read("AssignmentStatus=any").ends_with(
            "'assignmentStatus' failed to satisfy constraint: Member must satisfy enum value set: [Assigned, Unassigned, Any]"
        ));
        assert_eq!(read("AssignmentStatus.member.1=Any"), "MalformedInput: Start of list found where not expected");
    }
}
