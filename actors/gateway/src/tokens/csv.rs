//! The CSV forms of vendors.
//!
//! | form | columns |
//! |---|---|
//! | shop exports for Entra | a header: `upn,serial number,secret key,time interval,manufacturer,model` |
//! | generic OATH | `serial,hexkey[,totp[,6[,30]]]` |
//! | two columns | `serial,seed` |
//!
//! The encoding of the seeds is that of the whole file: hexadecimal or base32.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use zeroize::Zeroizing;

use super::encoding::SeedEncoding;
use super::{FileError, ImportedToken, Inventory, Place, Reason, Refused, TOKENS_MAX, Unlock, name, shown};
use crate::engine::{Seed, Serial};

/// The longest row, in bytes.
const ROW_BYTES_MAX: usize = 4096;
/// The most columns of a row.
const COLUMNS_MAX: usize = 32;

/// A row, wiped after use.
struct Row {
    line: usize,
    fields: Vec<Zeroizing<String>>,
}

/// Where the columns of a form are.
struct Columns {
    serial: usize,
    seed: usize,
    kind: Option<usize>,
    digits: Option<usize>,
    interval: Option<usize>,
    manufacturer: Option<usize>,
    model: Option<usize>,
}

pub(super) fn read(text: &str, unlock: &Unlock) -> Result<Inventory, FileError> {
    let mut rows = rows(text)?;
    let first = rows.first().ok_or(FileError::UnknownColumns)?;
    let columns = match header(first) {
        Some(columns) => {
            rows.remove(0);
            columns
        }
        None if (2..=5).contains(&first.fields.len()) => Columns {
            serial: 0,
            seed: 1,
            kind: Some(2),
            digits: Some(3),
            interval: Some(4),
            manufacturer: None,
            model: None,
        },
        None => return Err(FileError::UnknownColumns),
    };
    let encoding = encoding(&rows, &columns, unlock.encoding)?;
    let mut inventory = Inventory::default();
    for row in &rows {
        match token(row, &columns, encoding) {
            Ok(token) => inventory.tokens.push(token),
            Err(refused) => inventory.refused.push(refused),
        }
    }
    Ok(inventory)
}

/// Splits a file into rows, in buffers that are wiped.
fn rows(text: &str) -> Result<Vec<Row>, FileError> {
    let mut reader: Reader = ReaderBuilder::new().comment(Some(b'#')).build();
    let mut bytes = Zeroizing::new(vec![0; ROW_BYTES_MAX]);
    let mut ends = [0; COLUMNS_MAX];
    let (mut rest, mut rows) = (text.as_bytes(), Vec::new());
    let (mut written, mut columns, mut start_of_row, mut lines) = (0, 0, rest, 0);
    loop {
        let (result, read, out, ended) = reader.read_record(rest, &mut bytes[written..], &mut ends[columns..]);
        rest = rest.get(read..).unwrap_or_default();
        (written, columns) = (written + out, columns + ended);
        match result {
            ReadRecordResult::End => return Ok(rows),
            // The whole file is there, so the next call ends the last row.
            ReadRecordResult::InputEmpty => continue,
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                return Err(FileError::UnknownColumns);
            }
            ReadRecordResult::Record => {}
        }
        let row = &start_of_row[..start_of_row.len() - rest.len()];
        let line = lines + newlines(row.trim_ascii_end()) + 1;
        (lines, start_of_row) = (lines + newlines(row), rest);
        let mut start = 0;
        let mut fields = Vec::with_capacity(columns);
        for end in &ends[..columns] {
            let field = bytes.get(start..*end).unwrap_or_default();
            let field = std::str::from_utf8(field).map_err(|_| FileError::NotUtf8)?;
            fields.push(Zeroizing::new(field.trim().to_owned()));
            start = *end;
        }
        if rows.len() > TOKENS_MAX {
            return Err(FileError::TooMany);
        }
        rows.push(Row { line, fields });
        (written, columns) = (0, 0);
    }
}

fn newlines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

/// The columns of a form with a header; `None` when the first row is none.
fn header(row: &Row) -> Option<Columns> {
    let of =
        |names: &[&str]| row.fields.iter().position(|field| names.iter().any(|name| field.eq_ignore_ascii_case(name)));
    Some(Columns {
        serial: of(&["serial number", "serial", "serialnumber"])?,
        seed: of(&["secret key", "secret", "seed", "hexkey"])?,
        kind: of(&["type", "algorithm"]),
        digits: of(&["digits", "otplen"]),
        interval: of(&["time interval", "timeinterval", "interval"]),
        manufacturer: of(&["manufacturer"]),
        model: of(&["model"]),
    })
}

/// The one encoding that all seeds have. Rows without a seed are refused later.
fn encoding(rows: &[Row], columns: &Columns, said: Option<SeedEncoding>) -> Result<SeedEncoding, FileError> {
    if let Some(said) = said {
        return Ok(said);
    }
    let seeds = || rows.iter().filter_map(|row| row.fields.get(columns.seed));
    let fits = |encoding: SeedEncoding| seeds().filter(|seed| encoding.decode(seed).is_some()).count();
    let (hex, base32) = (fits(SeedEncoding::Hex), fits(SeedEncoding::Base32));
    let either = seeds()
        .filter(|seed| SeedEncoding::Hex.decode(seed).is_some() && SeedEncoding::Base32.decode(seed).is_some())
        .count();
    match (hex - either, base32 - either) {
        (1.., 1..) => Err(FileError::MixedEncodings),
        (1.., 0) => Ok(SeedEncoding::Hex),
        (0, 1..) => Ok(SeedEncoding::Base32),
        (0, 0) if either > 0 => Err(FileError::AmbiguousEncoding),
        // None can be read; every row is refused on its own.
        (0, 0) => Ok(SeedEncoding::Hex),
    }
}

fn token(row: &Row, columns: &Columns, encoding: SeedEncoding) -> Result<ImportedToken, Refused> {
    let at_line = |reason| Refused { place: Place::Line(row.line), reason };
    let field = |at: Option<usize>| {
        at.and_then(|at| row.fields.get(at)).map(|field| field.as_str()).filter(|field| !field.is_empty())
    };
    if row.fields.len() <= columns.seed.max(columns.serial) {
        return Err(at_line(Reason::Columns(row.fields.len())));
    }
    let serial = field(Some(columns.serial)).ok_or_else(|| at_line(Reason::NoSerial))?;
    let serial = Serial::new(serial).map_err(|_| at_line(Reason::BadSerial))?;
    let refuse = |reason| Refused { place: Place::Serial(serial.to_string()), reason };

    let seed = field(Some(columns.seed)).ok_or_else(|| refuse(Reason::NoSecret))?;
    let seed = encoding.decode(seed).ok_or_else(|| refuse(Reason::BadSecret))?;
    let seed = Seed::new(seed.to_vec()).map_err(|_| refuse(Reason::SecretLength(seed.len())))?;
    if let Some(kind) = field(columns.kind)
        && !kind.eq_ignore_ascii_case("totp")
    {
        return Err(refuse(Reason::NotTimeBased(shown(kind))));
    }
    if let Some(digits) = field(columns.digits)
        && digits != "6"
    {
        return Err(refuse(Reason::Digits(shown(digits))));
    }
    if let Some(interval) = field(columns.interval)
        && interval != "30"
    {
        return Err(refuse(Reason::Interval(shown(interval))));
    }
    let manufacturer = field(columns.manufacturer).and_then(name);
    let model = field(columns.model).and_then(name);
    Ok(ImportedToken { serial, seed, manufacturer, model })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "3132333435363738393031323334353637383930";
    const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn of(text: &str) -> Result<Inventory, FileError> {
        read(text, &Unlock::default())
    }

    fn reasons(text: &str) -> Vec<(String, Reason)> {
        of(text).unwrap().refused.into_iter().map(|r| (r.place.to_string(), r.reason)).collect()
    }

    #[test]
    fn the_header_form_of_shops() {
        let text = format!(
            "upn,serial number,secret key,time interval,manufacturer,model\r\nlee@example.com,GAHT00000001,{BASE32},30,Feitian,\"c200, rev 2\"\r\n,GAHT00000002,{},30,Feitian,c200\r\n",
            BASE32.to_lowercase()
        );
        let inventory = of(&text).unwrap();
        assert_eq!((inventory.tokens.len(), inventory.refused), (2, vec![]));
        let token = &inventory.tokens[0];
        assert_eq!(token.seed.expose(), b"12345678901234567890");
        assert_eq!(token.manufacturer.as_deref(), Some("Feitian"));
        assert_eq!(token.model.as_deref(), Some("c200, rev 2"));
        assert_eq!(inventory.tokens[1].seed.expose(), b"12345678901234567890");
    }

    #[test]
    fn the_forms_without_a_header() {
        let text =
            format!("# a comment\nGAHT00000001,{HEX},totp,6,30\n\n GAHT00000002 , {HEX},TOTP\nGAHT00000003,{HEX}");
        let inventory = of(&text).unwrap();
        assert_eq!((inventory.tokens.len(), inventory.refused), (3, vec![]));
        let two = of(&format!("GAHT00000001,{BASE32}\n")).unwrap();
        assert_eq!(two.tokens[0].seed.expose(), b"12345678901234567890");
    }

    #[test]
    fn each_refusal_says_where_and_why() {
        let text = format!(
            "GAHT00000001,{HEX},hotp\nGAHT00000002,{HEX},totp,8\nGAHT00000003,{HEX},totp,6,60\nGAHT00000004,31323334\nshort,{HEX}\n,{HEX}\nGAHT00000005,\nGAHT00000006,xyz\r\n\n# x\nGAHT00000007"
        );
        assert_eq!(
            reasons(&text),
            [
                ("GAHT00000001".to_owned(), Reason::NotTimeBased("hotp".into())),
                ("GAHT00000002".to_owned(), Reason::Digits("8".into())),
                ("GAHT00000003".to_owned(), Reason::Interval("60".into())),
                ("GAHT00000004".to_owned(), Reason::SecretLength(4)),
                ("line 5".to_owned(), Reason::BadSerial),
                ("line 6".to_owned(), Reason::NoSerial),
                ("GAHT00000005".to_owned(), Reason::NoSecret),
                ("GAHT00000006".to_owned(), Reason::BadSecret),
                ("line 11".to_owned(), Reason::Columns(1)),
            ]
        );
    }

    #[test]
    fn mixed_and_ambiguous_encodings_are_refused() {
        let text = format!("GAHT00000001,{HEX}\nGAHT00000002,{BASE32}\n");
        assert_eq!(of(&text), Err(FileError::MixedEncodings));
        let either = "GAHT00000001,ABCDEF23ABCDEF23ABCDEF23ABCDEF23\n";
        assert_eq!(of(either), Err(FileError::AmbiguousEncoding));
        let unlock = Unlock { encoding: Some(SeedEncoding::Base32), ..Unlock::default() };
        assert_eq!(read(either, &unlock).unwrap().tokens[0].seed.expose().len(), 20);
    }

    #[test]
    fn other_files_are_refused_whole() {
        for text in ["", "\n\n", "a,b,c,d,e,f,g\n", "only\n", &"x".repeat(10_000)] {
            assert_eq!(of(text), Err(FileError::UnknownColumns), "{text:.20}");
        }
    }
}
