//! Whether bytes are a message, and what is wrong if they are not, in the words of the decoder that
//! Prometheus has generated (`Unmarshal` in `prompb/remote.pb.go` and `prompb/types.pb.go`).

/// What a field holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Varint,
    /// Varints, one by one or packed.
    Varints,
    Text,
    Message(&'static Schema),
}

/// A message: its name and the fields from number 1 on.
#[derive(Debug)]
pub(super) struct Schema {
    name: &'static str,
    fields: &'static [(&'static str, Kind)],
}

/// `prometheus.ReadRequest`.
pub(super) static READ_REQUEST: Schema = Schema {
    name: "ReadRequest",
    fields: &[("Queries", Kind::Message(&QUERY)), ("AcceptedResponseTypes", Kind::Varints)],
};

static QUERY: Schema = Schema {
    name: "Query",
    fields: &[
        ("StartTimestampMs", Kind::Varint),
        ("EndTimestampMs", Kind::Varint),
        ("Matchers", Kind::Message(&LABEL_MATCHER)),
        ("Hints", Kind::Message(&READ_HINTS)),
    ],
};

static LABEL_MATCHER: Schema = Schema {
    name: "LabelMatcher",
    fields: &[("Type", Kind::Varint), ("Name", Kind::Text), ("Value", Kind::Text)],
};

static READ_HINTS: Schema = Schema {
    name: "ReadHints",
    fields: &[
        ("StepMs", Kind::Varint),
        ("Func", Kind::Text),
        ("StartMs", Kind::Varint),
        ("EndMs", Kind::Varint),
        ("Grouping", Kind::Text),
        ("By", Kind::Varint),
        ("RangeMs", Kind::Varint),
    ],
};

const END: &str = "unexpected EOF";
const OVERFLOW: &str = "proto: integer overflow";
const NEGATIVE: &str = "proto: negative length found during unmarshaling";

/// Checks that `bytes` are a message of `schema`; else says what is wrong first.
pub(super) fn check(mut bytes: &[u8], schema: &Schema) -> Result<(), String> {
    while !bytes.is_empty() {
        let field = bytes;
        let key = varint(&mut bytes)?;
        let (number, wire) = ((key >> 3) as i32, key & 7);
        if wire == 4 {
            return Err(format!("proto: {}: wiretype end group for non-group", schema.name));
        }
        if number <= 0 {
            return Err(format!("proto: {}: illegal tag {number} (wire type {key})", schema.name));
        }
        let Some(&(name, kind)) = schema.fields.get(number as usize - 1) else {
            bytes = field;
            skip(&mut bytes)?;
            continue;
        };
        match (kind, wire) {
            (Kind::Varint | Kind::Varints, 0) => drop(varint(&mut bytes)?),
            (Kind::Varints, 2) => {
                let mut packed = part(&mut bytes)?;
                while !packed.is_empty() {
                    varint(&mut packed)?;
                }
            }
            (Kind::Text, 2) => drop(part(&mut bytes)?),
            (Kind::Message(inner), 2) => check(part(&mut bytes)?, inner)?,
            _ => return Err(format!("proto: wrong wireType = {wire} for field {name}")),
        }
    }
    Ok(())
}

/// Takes a varint off the front; of one that is too long, the bits that fit.
fn varint(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(END)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(OVERFLOW)
}

/// Takes a length and so many bytes off the front.
fn part<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    let length = i64::try_from(varint(bytes)?).map_err(|_| NEGATIVE)?;
    let (part, rest) = usize::try_from(length)
        .ok()
        .and_then(|length| bytes.split_at_checked(length))
        .ok_or(END)?;
    *bytes = rest;
    Ok(part)
}

/// Takes a field that nobody knows off the front, a group as a whole (`skipRemote`).
fn skip(bytes: &mut &[u8]) -> Result<(), String> {
    let mut depth = 0usize;
    while !bytes.is_empty() {
        match varint(bytes)? & 7 {
            0 => drop(varint(bytes)?),
            1 => *bytes = bytes.get(8..).ok_or(END)?,
            2 => drop(part(bytes)?),
            3 => depth += 1,
            4 if depth == 0 => return Err("proto: unexpected end of group".to_owned()),
            4 => depth -= 1,
            5 => *bytes = bytes.get(4..).ok_or(END)?,
            other => return Err(format!("proto: illegal wireType {other}")),
        }
        if depth == 0 {
            return Ok(());
        }
    }
    Err(END.to_owned())
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use proto::prometheus::{LabelMatcher, Query, ReadHints, ReadRequest};

    use super::*;

    #[test]
    fn errors_are_those_of_prometheus() {
        for (bytes, expected) in [
            (&b"\x0a"[..], Err("unexpected EOF")),
            (b"\x0a\x05\x08", Err("unexpected EOF")),
            (b"\x08\x01", Err("proto: wrong wireType = 0 for field Queries")),
            (b"\x11", Err("proto: wrong wireType = 1 for field AcceptedResponseTypes")),
            (b"\x0a\x02\x0a\x00", Err("proto: wrong wireType = 2 for field StartTimestampMs")),
            (b"\x0a\x03\x1a\x01\x0c", Err("proto: LabelMatcher: wiretype end group for non-group")),
            (b"\x00", Err("proto: ReadRequest: illegal tag 0 (wire type 0)")),
            (b"\x7f", Err("proto: illegal wireType 7")),
            (&[0xff; 11], Err("proto: integer overflow")),
            (
                b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                Err("proto: negative length found during unmarshaling"),
            ),
            // Fields that nobody knows: a group, fixed numbers, bytes.
            (b"\x7b\x08\x01\x7c", Ok(())),
            (b"\x79\x01\x02\x03\x04\x05\x06\x07\x08\x7d\x01\x02\x03\x04\x7a\x01x", Ok(())),
            (b"\x7b\x08\x01", Err("unexpected EOF")),
            (b"\x12\x02\x00\x01", Ok(())),
            (b"", Ok(())),
        ] {
            assert_eq!(check(bytes, &READ_REQUEST), expected.map_err(str::to_owned), "{bytes:x?}");
        }
    }

    /// A whole message passes, and any cut of it is told apart as the decoder does.
    #[test]
    fn what_passes_is_decoded() {
        let matcher = LabelMatcher { r#type: 2, name: "job".into(), value: "a|b".into() };
        let hints = ReadHints { step_ms: -1, func: "rate".into(), by: true, ..Default::default() };
        let query = Query {
            start_timestamp_ms: -5,
            end_timestamp_ms: 7,
            matchers: vec![matcher; 2],
            hints: Some(ReadHints { grouping: vec!["a".into()], range_ms: 9, ..hints }),
        };
        let request = ReadRequest { queries: vec![query; 2], accepted_response_types: vec![1, 0] };
        let bytes = request.encode_to_vec();
        for end in 0..=bytes.len() {
            let cut = &bytes[..end];
            assert_eq!(
                check(cut, &READ_REQUEST).is_ok(),
                ReadRequest::decode(cut).is_ok(),
                "{end} of {}",
                bytes.len()
            );
        }
    }
}
