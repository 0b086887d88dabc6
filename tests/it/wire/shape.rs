//! The shape of a stored body: what postcard writes, with the names that it leaves out.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{self, Serialize, Serializer};
use serde_json::{Map, Value, json};

/// A number, a flag or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    Bool,
    U8,
    U16,
    U32,
    U64,
    I64,
    Text,
}

pub const PLAIN: [Plain; 7] = [Plain::Bool, Plain::U8, Plain::U16, Plain::U32, Plain::U64, Plain::I64, Plain::Text];

/// How bytes are read.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Nothing of it was seen: an option that was always empty, a list without members.
    Unseen,
    Plain(Plain),
    /// So many bytes: an id, a secret.
    Bytes(usize),
    Option(Box<Shape>),
    List(Box<Shape>),
    /// Members one after another, by name.
    Struct(Vec<(String, Shape)>),
    /// Choices by number and name.
    Enum(BTreeMap<u32, (String, Shape)>),
}

impl Shape {
    pub fn of(value: &impl Serialize) -> Self {
        value.serialize(Outline).unwrap()
    }

    /// What two values of one type have shown of it.
    pub fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unseen, seen) | (seen, Self::Unseen) => seen,
            (Self::Option(one), Self::Option(two)) => Self::Option(Box::new(one.with(*two))),
            (Self::List(one), Self::List(two)) => Self::List(Box::new(one.with(*two))),
            (Self::Struct(one), Self::Struct(two)) => {
                let members = one.into_iter().zip(two);
                Self::Struct(members.map(|((name, one), (_, two))| (name, one.with(two))).collect())
            }
            (Self::Enum(mut one), Self::Enum(two)) => {
                for (number, (name, shape)) in two {
                    let known = one.remove(&number).map_or(Self::Unseen, |(_, known)| known);
                    one.insert(number, (name, known.with(shape)));
                }
                Self::Enum(one)
            }
            (one, two) => {
                assert_eq!(one, two, "one type has one shape");
                one
            }
        }
    }

    /// What bytes say by this shape, if they are wholly of it.
    pub fn read(&self, bytes: &[u8]) -> Option<Value> {
        let mut reader = postcard::Deserializer::from_bytes(bytes);
        let value = self.deserialize(&mut reader).ok()?;
        reader.finalize().ok()?.is_empty().then_some(value)
    }
}

// ---- reading ----

impl<'de> DeserializeSeed<'de> for &Shape {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        match self {
            Shape::Unseen => Err(D::Error::custom("nothing is known of it")),
            Shape::Plain(Plain::Bool) => reader.deserialize_bool(Reading(self)),
            Shape::Plain(Plain::U8) => reader.deserialize_u8(Reading(self)),
            Shape::Plain(Plain::U16) => reader.deserialize_u16(Reading(self)),
            Shape::Plain(Plain::U32) => reader.deserialize_u32(Reading(self)),
            Shape::Plain(Plain::U64) => reader.deserialize_u64(Reading(self)),
            Shape::Plain(Plain::I64) => reader.deserialize_i64(Reading(self)),
            Shape::Plain(Plain::Text) => reader.deserialize_str(Reading(self)),
            Shape::Option(_) => reader.deserialize_option(Reading(self)),
            Shape::List(_) => reader.deserialize_seq(Reading(self)),
            Shape::Bytes(count) => reader.deserialize_tuple(*count, Reading(self)),
            Shape::Struct(members) => reader.deserialize_tuple(members.len(), Reading(self)),
            Shape::Enum(_) => reader.deserialize_tuple(2, Reading(self)),
        }
    }
}

struct Reading<'a>(&'a Shape);

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the shape says")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(json!(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(json!(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(json!(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(json!(value))
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        match self.0 {
            // A wrapper, so that an option of an option shows which of them was empty.
            Shape::Option(inner) => Ok(json!({ "some": inner.deserialize(reader)? })),
            _ => Err(D::Error::custom("no option")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let missing = || A::Error::custom("a member is missing");
        match self.0 {
            Shape::List(inner) => {
                let mut list = Vec::new();
                while let Some(member) = members.next_element_seed(&**inner)? {
                    list.push(member);
                }
                Ok(Value::Array(list))
            }
            Shape::Bytes(_) => {
                let mut bytes: Vec<u8> = Vec::new();
                while let Some(byte) = members.next_element()? {
                    bytes.push(byte);
                }
                Ok(json!(bytes))
            }
            Shape::Struct(shapes) => {
                let mut object = Map::new();
                for (name, shape) in shapes {
                    object.insert(name.clone(), members.next_element_seed(shape)?.ok_or_else(missing)?);
                }
                Ok(Value::Object(object))
            }
            Shape::Enum(choices) => {
                let number: u32 = members.next_element()?.ok_or_else(missing)?;
                let (name, shape) = choices.get(&number).ok_or_else(|| A::Error::custom("no such choice"))?;
                Ok(json!({ name.as_str(): members.next_element_seed(shape)?.ok_or_else(missing)? }))
            }
            _ => Err(A::Error::custom("no list")),
        }
    }
}

// ---- the shape of a value ----

#[derive(Debug)]
pub struct NoShape(String);

impl fmt::Display for NoShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoShape {}

impl ser::Error for NoShape {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

struct Outline;

/// The members of something, and which choice it is of.
struct Members {
    seen: Vec<(String, Shape)>,
    choice: Option<(u32, &'static str)>,
    is_list: bool,
}

impl Members {
    const fn new(choice: Option<(u32, &'static str)>, is_list: bool) -> Self {
        Self { seen: Vec::new(), choice, is_list }
    }

    fn push(&mut self, name: Option<&str>, value: &(impl Serialize + ?Sized)) -> Result<(), NoShape> {
        let name = name.map_or_else(|| self.seen.len().to_string(), str::to_owned);
        self.seen.push((name, value.serialize(Outline)?));
        Ok(())
    }

    fn shape(self) -> Shape {
        let is_byte = |(name, shape): &(String, Shape)| name.parse::<u8>().is_ok() && *shape == Shape::Plain(Plain::U8);
        let whole = if !self.is_list && self.seen.len() > 2 && self.seen.iter().all(is_byte) {
            Shape::Bytes(self.seen.len())
        } else if self.is_list {
            let members = self.seen.into_iter().map(|(_, shape)| shape);
            Shape::List(Box::new(members.fold(Shape::Unseen, Shape::with)))
        } else {
            Shape::Struct(self.seen)
        };
        match self.choice {
            Some((number, name)) => Shape::Enum([(number, (name.to_owned(), whole))].into()),
            None => whole,
        }
    }
}

macro_rules! plain {
    ($($name:ident $of:ty => $plain:ident),* $(,)?) => {
        $(fn $name(self, _: $of) -> Result<Shape, NoShape> { Ok(Shape::Plain(Plain::$plain)) })*
    };
}

macro_rules! members {
    ($($of:ident $name:ident ( $($key:ident)? )),* $(,)?) => {$(
        impl ser::$of for Members {
            type Ok = Shape;
            type Error = NoShape;
            fn $name<T: Serialize + ?Sized>(&mut self, $($key: &'static str,)? value: &T) -> Result<(), NoShape> {
                let name: Option<&str> = None;
                $(let name = name.or(Some($key));)?
                self.push(name, value)
            }
            fn end(self) -> Result<Shape, NoShape> {
                Ok(self.shape())
            }
        }
    )*};
}

members! {
    SerializeSeq serialize_element(), SerializeTuple serialize_element(), SerializeTupleStruct serialize_field(),
    SerializeTupleVariant serialize_field(), SerializeStruct serialize_field(key),
    SerializeStructVariant serialize_field(key),
}

impl Serializer for Outline {
    type Ok = Shape;
    type Error = NoShape;
    type SerializeSeq = Members;
    type SerializeTuple = Members;
    type SerializeTupleStruct = Members;
    type SerializeTupleVariant = Members;
    type SerializeMap = ser::Impossible<Shape, NoShape>;
    type SerializeStruct = Members;
    type SerializeStructVariant = Members;

    plain! {
        serialize_bool bool => Bool, serialize_u8 u8 => U8, serialize_u16 u16 => U16, serialize_u32 u32 => U32,
        serialize_u64 u64 => U64, serialize_i64 i64 => I64, serialize_str &str => Text,
    }

    fn serialize_i8(self, _: i8) -> Result<Shape, NoShape> {
        Err(ser::Error::custom("i8"))
    }

    fn serialize_i16(self, _: i16) -> Result<Shape, NoShape> {
        Err(ser::Error::custom("i16"))
    }

    fn serialize_i32(self, _: i32) -> Result<Shape, NoShape> {
        Err(ser::Error::custom("i32"))
    }

    fn serialize_f32(self, _: f32) -> Result<Shape, NoShape> {
        Err(ser::Error::custom("f32"))
    }

    fn serialize_f64(self, _: f64) -> Result<Shape, NoShape> {
        Err(ser::Error::custom("f64"))
    }

    fn serialize_char(self, _: char) -> Result<Shape, NoShape> {
        Err(ser::Error::custom("char"))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Shape, NoShape> {
        Ok(Shape::List(Box::new(Shape::Plain(Plain::U8))))
    }

    fn serialize_none(self) -> Result<Shape, NoShape> {
        Ok(Shape::Option(Box::new(Shape::Unseen)))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Shape, NoShape> {
        Ok(Shape::Option(Box::new(value.serialize(Self)?)))
    }

    fn serialize_unit(self) -> Result<Shape, NoShape> {
        Ok(Shape::Struct(Vec::new()))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Shape, NoShape> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, number: u32, name: &'static str) -> Result<Shape, NoShape> {
        Ok(Members::new(Some((number, name)), false).shape())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Shape, NoShape> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        number: u32,
        name: &'static str,
        value: &T,
    ) -> Result<Shape, NoShape> {
        let mut members = Members::new(Some((number, name)), false);
        members.push(None, value)?;
        Ok(members.shape())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Members, NoShape> {
        Ok(Members::new(None, true))
    }

    fn serialize_tuple(self, _: usize) -> Result<Members, NoShape> {
        Ok(Members::new(None, false))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Members, NoShape> {
        Ok(Members::new(None, false))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        number: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Members, NoShape> {
        Ok(Members::new(Some((number, name)), false))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NoShape> {
        Err(ser::Error::custom("a map"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members, NoShape> {
        Ok(Members::new(None, false))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        number: u32,
        name: &'static str,
        _: usize,
    ) -> Result<Members, NoShape> {
        Ok(Members::new(Some((number, name)), false))
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}
