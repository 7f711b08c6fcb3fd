//! Lines that are right, lines that are wrong, and lines of any bytes.

use super::*;
use andon_models::Value;
use proptest::prelude::*;

/// A line as data: key, fields, time.
type Plain = (String, Vec<(String, Value)>, Option<i64>);

fn read(text: &[u8]) -> Vec<Result<Plain, (usize, &'static str)>> {
    let (mut lines, mut fields, mut all) = (Lines::new(text), Vec::new(), Vec::new());
    while let Some(line) = lines.next_line(&mut fields) {
        all.push(line.map_err(|error| (error.number, error.reason)).and_then(|line| {
            let wrong = |reason| (line.number, reason);
            let key = SeriesKey::parse(line.key).map_err(wrong)?;
            let field = |field: &Field<'_>| Ok((field_key(field.key)?.into_owned(), field.value.value()?));
            let fields: Result<_, _> = fields.iter().map(field).collect();
            Ok((key.alias(""), fields.map_err(wrong)?, line.time))
        }));
    }
    all
}

fn one(text: &str) -> Plain {
    let mut all = read(text.as_bytes());
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn value(text: &str) -> Value {
    one(&format!("m f={text}")).1.remove(0).1
}

#[test]
fn a_line_has_a_key_fields_and_a_time() {
    let (key, fields, time) = one("weather,site=b,area=a temp=82.5,wind=3i,open=t,note=\"all well\" 1465839830100400200");
    assert_eq!((key.as_str(), time), ("weather,area=a,site=b ", Some(1_465_839_830_100_400_200)));
    let expected: [(&str, Value); 4] =
        [("temp", 82.5.into()), ("wind", Value::Integer(3)), ("open", true.into()), ("note", "all well".into())];
    assert_eq!(fields, expected.map(|(key, value)| (key.to_owned(), value)));
    assert_eq!(one("m f=1").2, None);
    assert_eq!(one("m f=1 -5\r\n").2, Some(-5));
}

#[test]
fn numbers_truth_and_texts_are_read_in_all_spellings() {
    for (text, expected) in
        [("1", 1.0), ("-1.5", -1.5), (".5", 0.5), ("2.", 2.0), ("1e-3", 0.001), ("1.5E+10", 1.5e10), ("-0.0", -0.0)]
    {
        assert_eq!(value(text), Value::Double(expected), "{text}");
    }
    assert_eq!(value("0.1234567890123456789"), Value::Double(0.123_456_789_012_345_68));
    assert_eq!(value("-9223372036854775808i"), Value::Integer(i64::MIN));
    assert_eq!(value("9223372036854775807u"), Value::Integer(i64::MAX));
    for (texts, truth) in [(["t", "T", "true", "True", "TRUE"], true), (["f", "F", "false", "False", "FALSE"], false)] {
        texts.iter().for_each(|text| assert_eq!(value(text), Value::Boolean(truth), "{text}"));
    }
    assert_eq!(value(r#""a \"word\", a \\ and a \n""#), r#"a "word", a \ and a \n"#.into());
    assert_eq!(value("\"two\nlines, x=1\""), "two\nlines, x=1".into());
    assert_eq!(value("\"\""), "".into());
    assert_eq!(value("\"Öl 5 °C\""), "Öl 5 °C".into());
}

#[test]
fn escapes_are_taken_away_and_put_back() {
    let (key, fields, _) = one(r#"my\ hall\,1,ta\ g=va\=l\,ue,back\slash=a\\ fi\ eld\=x=1"#);
    assert_eq!(key, r#"my\ hall\,1,back\slash=a\\,ta\ g=va\=l\,ue "#);
    assert_eq!(fields[0].0, "fi eld=x");
}

#[test]
fn comments_and_blank_lines_are_nothing() {
    let text = "# a comment\n\n   \t\n a f=1\n\r\nb f=2\n#end";
    let keys: Vec<String> = read(text.as_bytes()).into_iter().map(|line| line.unwrap().0).collect();
    assert_eq!(keys, ["a ", "b "]);
    assert!(read(b"").is_empty() && read(b"\n#x").is_empty());
}

#[test]
fn a_bad_line_is_named_and_costs_only_itself() {
    for (line, reason) in [
        ("m", "missing fields"),
        ("m ", "missing fields"),
        (",t=a f=1", "missing measurement"),
        ("m f", "invalid field format"),
        ("m =1", "missing field key"),
        ("m f=", "missing field value"),
        ("m f=1,", "missing fields"),
        (
            "m f=nan",
            "invalid value: a text stands in quotation marks, a truth value is true or false, anything else is a number",
        ),
        ("m f=1e999", "invalid number"),
        ("m f=1.5.2", "invalid number"),
        ("m f=1-2", "invalid number"),
        ("m f=1.5i", "invalid integer"),
        ("m f=9223372036854775808i", "invalid integer"),
        ("m f=-1u", "invalid unsigned integer"),
        ("m f=18446744073709551615u", "a number above 2^63 - 1"),
        ("m f=\"open", "unbalanced quotes"),
        ("m f=\"a\"b", "invalid field format"),
        ("m f=1 x", "invalid timestamp"),
        ("m f=1 1 2", "invalid timestamp"),
        ("m f=1 99999999999999999999", "invalid timestamp"),
        ("m,t f=1", "missing tag value"),
        ("m,t= f=1", "missing tag value"),
        ("m,=v f=1", "missing tag key"),
        ("m, f=1", "missing tag key"),
        ("m,t=a,t=b f=1", "duplicate tags"),
        ("m,t=a=b f=1", "invalid tag format"),
    ] {
        let text = format!("first f=1\n{line}\nlast f=2 7\n");
        let all = read(text.as_bytes());
        assert_eq!(all.len(), 3, "{line}: {all:?}");
        assert_eq!(all[1], Err((2, reason)), "{line}");
        assert_eq!(all[2].as_ref().unwrap().2, Some(7), "{line}");
    }
    assert_eq!(read(b"m,t=\xff f=1")[0], Err((1, "not UTF-8")));
    let (mut lines, mut fields) = (Lines::new(b"\nm f=x 1\n"), Vec::new());
    assert_eq!(lines.next_line(&mut fields).unwrap().unwrap_err().line, b"m f=x 1");
}

/// Writes a line; the opposite of reading it.
fn written(key: &SeriesKey<'_>, fields: &[(String, Value)], time: Option<i64>) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| {
            let name = name.replace(',', "\\,").replace('=', "\\=").replace(' ', "\\ ");
            match value {
                Value::Integer(number) => format!("{name}={number}i"),
                Value::String(text) => format!("{name}=\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
                other => format!("{name}={other}"),
            }
        })
        .collect();
    let time = time.map_or(String::new(), |time| format!(" {time}"));
    format!("{}{}{time}\n", key.alias(""), fields.join(","))
}

fn name() -> impl Strategy<Value = String> {
    "[a-zäß_/,= ]{1,10}".prop_filter("a comment", |name| !name.starts_with([' ', ',']))
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Double),
        (-1e6..1e6_f64).prop_map(|number| Value::Double((number * 100.0).round() / 100.0)),
        any::<i64>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
        "[ -~äß\n]{0,12}".prop_map(|text| Value::String(text.into())),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        measurement in name(),
        tags in prop::collection::btree_map(name(), name(), 0..4),
        fields in prop::collection::vec((name(), any_value()), 1..5),
        time in prop::option::of(any::<i64>()),
    ) {
        let tags = tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let key = SeriesKey { measurement: measurement.into(), tags };
        let text = written(&key, &fields, time);
        let lines = read(text.as_bytes());
        prop_assert_eq!(lines, vec![Ok((key.alias(""), fields, time))], "{}", text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let lines = read(&bytes).len();
        prop_assert!(lines <= bytes.iter().filter(|byte| **byte == b'\n').count() + 1);
    }

    #[test]
    fn nearly_lines_are_survived(text in "[mft,=\\\\ \"0-9ui.\n#e-]{0,80}") {
        read(text.as_bytes());
    }

    #[test]
    fn decimals_are_the_nearest_double(text in "-?[0-9]{1,17}(\\.[0-9]{0,17})?(e-?[0-9]{1,2})?") {
        prop_assert_eq!(value(&text), Value::Double(text.parse().unwrap()));
    }
}
